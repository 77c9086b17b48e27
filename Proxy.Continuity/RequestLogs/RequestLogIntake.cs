using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.RequestLogs;

/// <summary>
/// Takes in rows, many in one statement. A row that was taken before changes nothing, so an edge may send again whatever
/// was not acknowledged. A row that the database refuses for what it contains is set aside and does not hold up the others.
/// </summary>
internal sealed partial class RequestLogIntake(NpgsqlDataSource database, ContinuityMetrics metrics, ILogger<RequestLogIntake> logger)
{
    private static readonly string[] Columns =
    [
        "id", "requested_at", "request_id", "kind", "api_key_id", "session_id", "account_id", "domain", "surface", "model", "status", "http_status", "error_code", "stored",
        "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "usage_estimated",
        "first_event_ms", "duration_ms", "edge_id", "trace_parent", "continuity", "session",
    ];

    // In the order of the key: two that send the same rows at once then wait for one another instead of in a circle. Of a turn that one edge has sent on to another both may tell, where
    // the way between them was cut: the row of the one that had an account says what became of it.
    private static readonly string Sql = $"""
        INSERT INTO request_logs ({string.Join(", ", Columns)}, items)
        SELECT DISTINCT ON (requested_at, id) {string.Join(", ", Columns)}, string_to_array(items, ' ')
        FROM unnest(
            $1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
            $12::int[], $13::text[], $14::bool[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bool[],
            $21::float8[], $22::float8[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[])
            AS rows ({string.Join(", ", Columns)}, items)
        ORDER BY requested_at, id, account_id IS NULL
        ON CONFLICT (requested_at, id) DO UPDATE SET {string.Join(", ", Columns.Skip(2).Append("items").Select(column => $"{column} = excluded.{column}"))}
        WHERE request_logs.account_id IS NULL AND excluded.account_id IS NOT NULL
        """;

    /// <summary>Takes in all rows; returns how many were set aside.</summary>
    /// <exception cref="NpgsqlException">Postgres is away: nothing was taken in that was not before, and all may be sent again.</exception>
    public async Task<int> IngestAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken)
    {
        var quarantined = await IngestOrSplitAsync(rows, cancellationToken);
        metrics.CountRows(rows.Count, quarantined);
        return quarantined;
    }

    // Halving finds the one bad row of a thousand in ten more statements.
    private async Task<int> IngestOrSplitAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
        {
            return 0;
        }
        try
        {
            await InsertAsync(rows, cancellationToken);
            return 0;
        }
        catch (PostgresException exception) when (BlamesTheData(exception))
        {
            if (rows.Count == 1)
            {
                await QuarantineAsync(rows[0], exception.SqlState, cancellationToken);
                return 1;
            }
            var half = rows.Count / 2;
            return await IngestOrSplitAsync([.. rows.Take(half)], cancellationToken)
                + await IngestOrSplitAsync([.. rows.Skip(half)], cancellationToken);
        }
    }

    // SQLSTATE class 22 is "data exception", 23 "integrity constraint violation", 54 "program limit exceeded": a text too long for its index.
    private static bool BlamesTheData(PostgresException exception) => exception.SqlState[..2] is "22" or "23" or "54";

    private async Task InsertAsync(IReadOnlyList<RequestLogRow> rows, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Sql);
        void Add<T>(NpgsqlDbType type, Func<RequestLogRow, T> column) =>
            command.Parameters.Add(new NpgsqlParameter { Value = rows.Select(column).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type });

        Add(NpgsqlDbType.Uuid, row => row.Id);
        Add(NpgsqlDbType.TimestampTz, row => row.RequestedAt.ToUniversalTime());
        Add(NpgsqlDbType.Text, row => row.RequestId);
        Add(NpgsqlDbType.Text, row => row.Kind);
        Add(NpgsqlDbType.Text, row => row.ApiKeyId);
        Add(NpgsqlDbType.Text, row => row.SessionId);
        Add(NpgsqlDbType.Text, row => row.AccountId);
        Add(NpgsqlDbType.Text, row => row.Domain);
        Add(NpgsqlDbType.Text, row => row.Surface);
        Add(NpgsqlDbType.Text, row => row.Model);
        Add(NpgsqlDbType.Text, row => row.Status);
        Add(NpgsqlDbType.Integer, row => row.HttpStatus);
        Add(NpgsqlDbType.Text, row => row.ErrorCode);
        Add(NpgsqlDbType.Boolean, row => row.Stored);
        Add(NpgsqlDbType.Bigint, row => row.InputTokens);
        Add(NpgsqlDbType.Bigint, row => row.CachedInputTokens);
        Add(NpgsqlDbType.Bigint, row => row.OutputTokens);
        Add(NpgsqlDbType.Bigint, row => row.ReasoningTokens);
        Add(NpgsqlDbType.Bigint, row => row.TotalTokens);
        Add(NpgsqlDbType.Boolean, row => row.UsageEstimated);
        Add(NpgsqlDbType.Double, row => row.FirstEventMs);
        Add(NpgsqlDbType.Double, row => row.DurationMs);
        Add(NpgsqlDbType.Text, row => row.EdgeId);
        Add(NpgsqlDbType.Text, row => row.TraceParent);
        Add(NpgsqlDbType.Text, row => row.Continuity);
        Add(NpgsqlDbType.Text, row => row.Session);
        Add(NpgsqlDbType.Text, row => row.Items);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task QuarantineAsync(RequestLogRow row, string reason, CancellationToken cancellationToken)
    {
        LogQuarantined(row.Id, reason);
        await using var command = database.CreateCommand(
            "INSERT INTO request_logs_set_aside (id, reason, row_json) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING");
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = row.Id });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = reason });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = JsonSerializer.SerializeToUtf8Bytes(row, ContinuityJson.Default.RequestLogRow) });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(200, LogLevel.Error, "The row of turn {TurnId} is set aside: Postgres refuses it with {SqlState}")]
    private partial void LogQuarantined(Guid turnId, string sqlState);
}
