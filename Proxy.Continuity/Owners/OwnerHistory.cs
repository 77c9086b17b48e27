using Npgsql;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Owners;

/// <summary>Owners as <c>request_logs</c> remembers them: what answers when Redis has lost an alias.</summary>
internal sealed class OwnerHistory(NpgsqlDataSource database)
{
    // Both statuses are valid anchors. An id has one owner for life, so the newest row of it is as good as any.
    private const string Sql = """
        SELECT DISTINCT ON (request_id) request_id, api_key_id, account_id, domain, session_id, stored, trace_parent
        FROM request_logs
        WHERE request_id = ANY($1) AND status IN ('success', 'incomplete') AND account_id IS NOT NULL AND domain IS NOT NULL
        ORDER BY request_id, requested_at DESC, id DESC
        """;

    /// <summary>The owners of those ids that have one.</summary>
    /// <exception cref="NpgsqlException">Postgres cannot be asked.</exception>
    public async Task<IReadOnlyDictionary<string, OwnerRecord>> FindAsync(string[] ids, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Sql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ids });
        var owners = new Dictionary<string, OwnerRecord>(StringComparer.Ordinal);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            owners.Add(reader.GetString(0), new OwnerRecord(
                reader.GetString(1), reader.GetString(2), reader.GetString(3),
                await reader.IsDBNullAsync(4, cancellationToken) ? null : reader.GetString(4),
                reader.GetBoolean(5),
                await reader.IsDBNullAsync(6, cancellationToken) ? null : reader.GetString(6)));
        }
        return owners;
    }
}
