using Npgsql;
using NpgsqlTypes;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;

namespace Proxy.Accounts.Quotas;

/// <summary>Books the end of turns, once each, and frees their slots.</summary>
internal sealed class TurnLedger(NpgsqlDataSource database, SlotLeases slots, SlotWaiters waiters)
{
    /// <summary>The outcome of a turn whose lease ended without word from its edge.</summary>
    public const string Lost = "lost";

    // A turn is booked once; only a real end replaces the estimate that stands for a lost one, which may have moved since.
    private const string Sql = """
        INSERT INTO turn_ledger (turn_id, key_id, account_id, model, outcome, settled_at, estimated,
            input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens)
        SELECT DISTINCT ON (1) * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bool[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
        ON CONFLICT (turn_id) DO UPDATE SET account_id = excluded.account_id, outcome = excluded.outcome,
            settled_at = excluded.settled_at, estimated = excluded.estimated,
            input_tokens = excluded.input_tokens, cached_input_tokens = excluded.cached_input_tokens, output_tokens = excluded.output_tokens,
            reasoning_tokens = excluded.reasoning_tokens, total_tokens = excluded.total_tokens
        WHERE turn_ledger.outcome = 'lost' AND excluded.outcome <> 'lost'
        """;

    /// <summary>Frees the slots first, since others wait for them, then books. Both may be done again.</summary>
    /// <exception cref="NpgsqlException">Postgres is away: the slots are free, the booking must be repeated.</exception>
    /// <exception cref="StackExchange.Redis.RedisException">Redis is away: all must be repeated.</exception>
    public async Task SettleAsync(IReadOnlyList<SettledTurn> turns, CancellationToken cancellationToken)
    {
        if (turns.Count == 0)
        {
            return;
        }
        waiters.Freed(await slots.ReleaseAsync(turns.Select(turn => new SlotLease(turn.TurnId, turn.AccountId))));
        await BookAsync(turns, cancellationToken);
    }

    /// <summary>Books turns without freeing their slots.</summary>
    /// <exception cref="NpgsqlException">Postgres is away.</exception>
    public async Task BookAsync(IReadOnlyList<SettledTurn> turns, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Sql);
        void Add<T>(NpgsqlDbType type, Func<SettledTurn, T> column) =>
            command.Parameters.Add(new NpgsqlParameter { Value = turns.Select(column).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type });

        Add(NpgsqlDbType.Uuid, turn => turn.TurnId);
        Add(NpgsqlDbType.Text, turn => turn.KeyId);
        Add(NpgsqlDbType.Text, turn => turn.AccountId);
        // Postgres text cannot hold NUL, and a model name is a stranger's text.
        Add(NpgsqlDbType.Text, turn => turn.Model?.Replace("\0", "", StringComparison.Ordinal));
        Add(NpgsqlDbType.Text, turn => turn.Outcome);
        Add(NpgsqlDbType.TimestampTz, turn => turn.SettledAt.ToUniversalTime());
        Add(NpgsqlDbType.Boolean, turn => turn.Estimated);
        Add(NpgsqlDbType.Bigint, turn => turn.InputTokens);
        Add(NpgsqlDbType.Bigint, turn => turn.CachedInputTokens);
        Add(NpgsqlDbType.Bigint, turn => turn.OutputTokens);
        Add(NpgsqlDbType.Bigint, turn => turn.ReasoningTokens);
        Add(NpgsqlDbType.Bigint, turn => turn.TotalTokens);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
