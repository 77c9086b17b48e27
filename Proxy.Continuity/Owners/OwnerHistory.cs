using Npgsql;
using NpgsqlTypes;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Owners;

/// <summary>Owners as <c>request_logs</c> remembers them: what answers when Redis has lost an alias.</summary>
internal sealed class OwnerHistory(NpgsqlDataSource database)
{
    // Both statuses are valid anchors. Of an id's rows those of the asking session count first, then the newest. The index on
    // (request_id, status, ...) finds the few rows of an id, whichever session they are of, so ranking them costs nothing.
    private const string Sql = """
        SELECT DISTINCT ON (request_id) request_id, api_key_id, account_id, domain, session_id, stored, trace_parent, session
        FROM request_logs
        WHERE request_id = ANY($1) AND status IN ('success', 'incomplete') AND account_id IS NOT NULL AND domain IS NOT NULL
        ORDER BY request_id, COALESCE(session_id = $2, false) DESC, requested_at DESC, id DESC
        """;

    // The index on items finds the row, whatever the day's partition.
    private const string OfItems = """
        SELECT DISTINCT ON (asked.id) asked.id, api_key_id, account_id, domain, session_id, stored, trace_parent, session
        FROM unnest($1) AS asked(id) JOIN request_logs ON items @> ARRAY[asked.id] AND items IS NOT NULL
        WHERE account_id IS NOT NULL AND domain IS NOT NULL
        ORDER BY asked.id, COALESCE(session_id = $2, false) DESC, requested_at DESC, request_logs.id DESC
        """;

    /// <summary>The owners of those responses that have one.</summary>
    /// <param name="sessionId">The asking conversation as rows name it; blank for none.</param>
    /// <exception cref="NpgsqlException">Postgres cannot be asked.</exception>
    public Task<IReadOnlyDictionary<string, OwnerRecord>> FindAsync(string[] ids, string? sessionId, CancellationToken cancellationToken) =>
        FindAsync(Sql, ids, sessionId, cancellationToken);

    /// <summary>The owners of the responses that have these items.</summary>
    /// <exception cref="NpgsqlException">Postgres cannot be asked.</exception>
    public Task<IReadOnlyDictionary<string, OwnerRecord>> FindByItemsAsync(string[] ids, string? sessionId, CancellationToken cancellationToken) =>
        FindAsync(OfItems, ids, sessionId, cancellationToken);

    private async Task<IReadOnlyDictionary<string, OwnerRecord>> FindAsync(string sql, string[] ids, string? sessionId, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ids });
        // A stranger's text again: no row's session has a NUL in it.
        var session = string.IsNullOrWhiteSpace(sessionId) || sessionId.Contains('\0', StringComparison.Ordinal) ? null : sessionId;
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)session ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        var owners = new Dictionary<string, OwnerRecord>(StringComparer.Ordinal);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            owners.Add(reader.GetString(0), new OwnerRecord(
                reader.GetString(1), reader.GetString(2), reader.GetString(3),
                await reader.IsDBNullAsync(4, cancellationToken) ? null : reader.GetString(4),
                reader.GetBoolean(5),
                await reader.IsDBNullAsync(6, cancellationToken) ? null : reader.GetString(6),
                await reader.IsDBNullAsync(7, cancellationToken) ? null : reader.GetString(7)));
        }
        return owners;
    }
}
