using Npgsql;
using NpgsqlTypes;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.Owners;

/// <summary>Owners of what upstream keeps until it is deleted, in <c>owned_ids</c>: Redis only caches them.</summary>
internal sealed class LastingOwners(NpgsqlDataSource database)
{
    // The first owner stays the owner; whoever publishes again is told whose it is.
    private const string Keep = """
        INSERT INTO owned_ids (id, kind, api_key_id, account_id, domain, session_id, trace_parent) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET id = excluded.id
        RETURNING api_key_id, account_id
        """;

    private const string Find = "SELECT id, api_key_id, account_id, domain, session_id, trace_parent FROM owned_ids WHERE id = ANY($1)";

    /// <summary>Keeps the owner unless the id has one already; returns whether this is the id's owner now.</summary>
    /// <exception cref="NpgsqlException">Postgres cannot be written.</exception>
    public async Task<bool> KeepAsync(OwnedId id, OwnerRecord owner, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Keep);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = id.Id });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = id.Kind });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner.KeyId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner.AccountId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner.Domain });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)owner.SessionId ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)owner.TraceParent ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return reader.GetString(1) == owner.AccountId && (reader.GetString(0) == owner.KeyId || OwnedKinds.IsShared(id.Kind));
    }

    /// <summary>The owners of those ids that have one.</summary>
    /// <exception cref="NpgsqlException">Postgres cannot be asked.</exception>
    public async Task<IReadOnlyDictionary<string, OwnerRecord>> FindAsync(string[] ids, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Find);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ids });
        var owners = new Dictionary<string, OwnerRecord>(StringComparer.Ordinal);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            owners.Add(reader.GetString(0), new OwnerRecord(
                reader.GetString(1), reader.GetString(2), reader.GetString(3),
                await reader.IsDBNullAsync(4, cancellationToken) ? null : reader.GetString(4), Stored: true,
                await reader.IsDBNullAsync(5, cancellationToken) ? null : reader.GetString(5)));
        }
        return owners;
    }
}
