using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Credentials;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Accounts;

/// <summary>Where a credential came from; the seed overwrites only its own.</summary>
internal enum CredentialSource
{
    Seed,
    Admin,
}

/// <summary>Accounts in Postgres, their credentials sealed.</summary>
internal sealed partial class AccountStore(NpgsqlDataSource database, CredentialVault vault, ILogger<AccountStore> logger)
{
    private const string Columns = """
        id, name, base_url, domain, credential_kind, credential, web_sockets, lanes, priority, weight, max_concurrent_turns, models, state, cooling_until, cooling_reason,
        web_sockets_refused_until
        """;

    private const string InsertSql = """
        INSERT INTO accounts (id, name, base_url, domain, credential_kind, credential, web_sockets, lanes, priority, weight, max_concurrent_turns, models, credential_source, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """;

    private const string SeedSql = InsertSql + """
         ON CONFLICT (name) DO UPDATE SET
            base_url = excluded.base_url, domain = excluded.domain, web_sockets = excluded.web_sockets, lanes = excluded.lanes, priority = excluded.priority,
            weight = excluded.weight, max_concurrent_turns = excluded.max_concurrent_turns, models = excluded.models, updated_at = now(),
            credential_kind = CASE accounts.credential_source WHEN 'admin' THEN accounts.credential_kind ELSE excluded.credential_kind END,
            credential = CASE accounts.credential_source WHEN 'admin' THEN accounts.credential ELSE excluded.credential END
        """;

    // Names of models are our callers': there may be only so many of them.
    private const int MaxCoolingModels = 200;

    // Rows that go to the database in one round trip.
    private const int SeedBatch = 500;

    /// <summary>All accounts. One whose credential cannot be opened is there, but must be authenticated anew.</summary>
    public async Task<IReadOnlyList<Account>> ListAsync(CancellationToken cancellationToken)
    {
        var accounts = new List<Account>();
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"SELECT {Columns} FROM accounts ORDER BY name"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT account_id, model, cooling_until FROM model_cool_downs WHERE cooling_until > now()"));
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            accounts.Add(Read(reader));
        }
        await reader.NextResultAsync(cancellationToken);
        var cooling = new Dictionary<Guid, Dictionary<string, DateTimeOffset>>();
        while (await reader.ReadAsync(cancellationToken))
        {
            ref var models = ref CollectionsMarshal.GetValueRefOrAddDefault(cooling, reader.GetGuid(0), out _);
            (models ??= new(StringComparer.Ordinal))[reader.GetString(1)] = reader.GetFieldValue<DateTimeOffset>(2);
        }
        return cooling.Count == 0 ? accounts : [.. accounts.Select(account => cooling.TryGetValue(account.Id, out var models) ? account with { CoolingModels = models } : account)];
    }

    /// <summary>Adds an account of an administrator's; false when there is one of its name.</summary>
    public async Task<bool> AddAsync(Account account, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(InsertSql + " ON CONFLICT (name) DO NOTHING");
        AddColumns(command.Parameters, account, account.Id);
        command.Parameters.Add(new() { Value = Name(CredentialSource.Admin) });
        command.Parameters.Add(new() { Value = Name(account.State) });
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>
    /// Adds the accounts of a seed, or changes those of their names, all of them or none: state and cool-down stay as they are,
    /// and so does a credential that an administrator has set.
    /// </summary>
    public async Task SeedAsync(IReadOnlyList<Account> seed, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // The seal is bound to the id, so the id of an account of that name must be known before sealing, also when replicas seed an empty table at once.
        await using var turn = new NpgsqlCommand("SELECT pg_advisory_xact_lock(hashtext('accounts.seed'))", connection, transaction);
        await turn.ExecuteNonQueryAsync(cancellationToken);
        var known = await ReadIdsAsync([.. seed.Select(account => account.Name)], connection, transaction, cancellationToken);
        foreach (var chunk in seed.Chunk(SeedBatch))
        {
            await using var batch = new NpgsqlBatch(connection, transaction);
            foreach (var account in chunk)
            {
                var command = new NpgsqlBatchCommand(SeedSql);
                AddColumns(command.Parameters, account, known.TryGetValue(account.Name, out var id) ? id : account.Id);
                command.Parameters.Add(new() { Value = Name(CredentialSource.Seed) });
                command.Parameters.Add(new() { Value = Name(account.State) });
                batch.BatchCommands.Add(command);
            }
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// Replaces an account; false when it is not there. What is null stays as it is in the database: the account that was read may
    /// show less (a credential that cannot be opened) or be older (a cool-down that began meanwhile).
    /// </summary>
    public async Task<bool> UpdateAsync(Account account, Secret? credential, AccountState? state, bool endCooling, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("""
            UPDATE accounts SET name = $2, base_url = $3, domain = $4, credential_kind = $5, credential = COALESCE($6, credential), web_sockets = $7, lanes = $8,
                priority = $9, weight = $10, max_concurrent_turns = $11, models = $12,
                credential_source = CASE WHEN $6::bytea IS NULL THEN credential_source ELSE 'admin' END,
                state = COALESCE($13, state), cooling_until = CASE WHEN $14 THEN NULL ELSE cooling_until END,
                web_sockets_refused_until = CASE WHEN $14 OR base_url <> $3 OR web_sockets <> $7 THEN NULL ELSE web_sockets_refused_until END, updated_at = now()
            WHERE id = $1
            """);
        AddColumns(command.Parameters, account, account.Id, sealCredential: credential is not null);
        command.Parameters.Add(new() { Value = state is { } value ? Name(value) : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = endCooling });
        if (await command.ExecuteNonQueryAsync(cancellationToken) == 0)
        {
            return false;
        }
        if (endCooling)
        {
            await using var models = database.CreateCommand("DELETE FROM model_cool_downs WHERE account_id = $1");
            models.Parameters.Add(new() { Value = account.Id });
            await models.ExecuteNonQueryAsync(cancellationToken);
        }
        return true;
    }

    /// <summary>Removes an account; false when it is not there.</summary>
    public async Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("DELETE FROM accounts WHERE id = $1");
        command.Parameters.Add(new() { Value = id });
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>Lets an account cool down; false when it does already, as long or longer.</summary>
    public async Task<bool> CoolAsync(Guid id, DateTimeOffset until, string reason, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("""
            UPDATE accounts SET cooling_until = $2, cooling_reason = $3, updated_at = now() WHERE id = $1 AND (cooling_until IS NULL OR cooling_until < $2)
            """);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = until.ToUniversalTime() });
        command.Parameters.Add(new() { Value = Stored(reason) });
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>Lets an account cool down for one model; false when it does already, as long or longer, or for too many.</summary>
    public async Task<bool> CoolAsync(Guid id, string model, DateTimeOffset until, string reason, CancellationToken cancellationToken)
    {
        var name = Stored(model);
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand("DELETE FROM model_cool_downs WHERE cooling_until < now() AND NOT (account_id = $1 AND model = $2)")
        {
            Parameters = { new() { Value = id }, new() { Value = name } },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            INSERT INTO model_cool_downs (account_id, model, cooling_until, cooling_reason)
            SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM accounts WHERE id = $1) AND (SELECT count(*) FROM model_cool_downs WHERE account_id = $1) < $5
            ON CONFLICT (account_id, model) DO UPDATE SET cooling_until = excluded.cooling_until, cooling_reason = excluded.cooling_reason
                WHERE model_cool_downs.cooling_until < excluded.cooling_until
            """)
        {
            Parameters = { new() { Value = id }, new() { Value = name }, new() { Value = until.ToUniversalTime() }, new() { Value = Stored(reason) }, new() { Value = MaxCoolingModels } },
        });
        await batch.ExecuteNonQueryAsync(cancellationToken);
        return batch.BatchCommands[1].RecordsAffected > 0;
    }

    /// <summary>Upstream opens no WebSockets for an account until then; false when that is known, or the account is not there.</summary>
    public async Task<bool> RefuseWebSocketsAsync(Guid id, DateTimeOffset until, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("""
            UPDATE accounts SET web_sockets_refused_until = $2, updated_at = now() WHERE id = $1 AND (web_sockets_refused_until IS NULL OR web_sockets_refused_until < $2)
            """);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = until.ToUniversalTime() });
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>Seals anew what an older key has sealed; returns how many.</summary>
    public async Task<int> ResealAsync(CancellationToken cancellationToken)
    {
        var stale = new List<(Guid Id, byte[] Seal)>();
        await using (var command = database.CreateCommand("SELECT id, credential FROM accounts"))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                var seal = reader.GetFieldValue<byte[]>(1);
                if (vault.IsStale(seal))
                {
                    stale.Add((reader.GetGuid(0), seal));
                }
            }
        }
        var resealed = 0;
        foreach (var (id, seal) in stale)
        {
            if (TryOpen(id, seal) is not { } credential)
            {
                continue;
            }
            // Only the seal that was read: a credential that was rotated meanwhile is sealed with the current key already.
            await using var command = database.CreateCommand("UPDATE accounts SET credential = $2 WHERE id = $1 AND credential = $3");
            command.Parameters.Add(new() { Value = id });
            command.Parameters.Add(new() { Value = vault.Seal(id, credential) });
            command.Parameters.Add(new() { Value = seal });
            resealed += await command.ExecuteNonQueryAsync(cancellationToken);
        }
        return resealed;
    }

    private static async Task<Dictionary<string, Guid>> ReadIdsAsync(
        string[] names, NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var ids = new Dictionary<string, Guid>(StringComparer.Ordinal);
        await using var command = new NpgsqlCommand("SELECT name, id FROM accounts WHERE name = ANY ($1) FOR UPDATE", connection, transaction) { Parameters = { new() { Value = names } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            ids[reader.GetString(0)] = reader.GetGuid(1);
        }
        return ids;
    }

    private void AddColumns(NpgsqlParameterCollection parameters, Account account, Guid id, bool sealCredential = true)
    {
        parameters.Add(new() { Value = id });
        parameters.Add(new() { Value = account.Name });
        parameters.Add(new() { Value = account.BaseUrl });
        parameters.Add(new() { Value = account.Domain });
        parameters.Add(new() { Value = Name(account.CredentialKind) });
        parameters.Add(new() { Value = sealCredential ? vault.Seal(id, account.Credential) : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea });
        parameters.Add(new() { Value = account.WebSockets });
        parameters.Add(new() { Value = account.Lanes });
        parameters.Add(new() { Value = account.Priority });
        parameters.Add(new() { Value = account.Weight });
        parameters.Add(new() { Value = account.MaxConcurrentTurns });
        parameters.Add(new() { Value = account.Models.ToArray() });
    }

    private Account Read(NpgsqlDataReader reader)
    {
        var id = reader.GetGuid(0);
        var credential = TryOpen(id, reader.GetFieldValue<byte[]>(5));
        return new Account(
            id, reader.GetString(1), reader.GetString(2), reader.GetString(3), Parse<CredentialKind>(reader.GetString(4)), credential ?? default,
            reader.GetBoolean(6), reader.GetBoolean(7), reader.GetInt32(8), reader.GetInt32(9), reader.GetInt32(10), reader.GetFieldValue<string[]>(11),
            credential is null ? AccountState.ReauthRequired : Parse<AccountState>(reader.GetString(12)),
            reader.IsDBNull(13) ? null : reader.GetFieldValue<DateTimeOffset>(13),
            reader.IsDBNull(14) ? null : reader.GetString(14))
        {
            WebSocketsRefusedUntil = reader.IsDBNull(15) ? null : reader.GetFieldValue<DateTimeOffset>(15),
        };
    }

    // Postgres has no text with a NUL in it.
    private static string Stored(string text) => text.Replace("\0", "", StringComparison.Ordinal);

    private Secret? TryOpen(Guid id, byte[] seal)
    {
        try
        {
            return vault.Open(id, seal);
        }
        catch (CryptographicException)
        {
            LogSealed(id);
            return null;
        }
    }

    // The database has the names in snake_case: reauth_required.
    internal static string Name<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    internal static T Parse<T>(string name) where T : struct, Enum => Enum.Parse<T>(name.Replace("_", "", StringComparison.Ordinal), ignoreCase: true);

    [LoggerMessage(300, LogLevel.Error, "The credential of account {AccountId} cannot be opened with Accounts:EncryptionKeys; it must be set again")]
    private partial void LogSealed(Guid accountId);
}
