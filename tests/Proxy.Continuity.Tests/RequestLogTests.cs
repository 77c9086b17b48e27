using System.Net;
using System.Security.Cryptography;
using Proxy.Continuity.Contracts;
using Testing;

namespace Proxy.Continuity.Tests;

public sealed class RequestLogTests : StoresTest
{
    [Fact]
    public async Task Sending_rows_again_changes_nothing()
    {
        RequestLogRow[] rows = [Some.Row("resp_1"), Some.Row("resp_2")];
        await Host.IngestAsync(rows);

        Assert.Equal(0, await Host.IngestAsync([rows[0] with { Status = TurnStatus.Failed }, rows[1], rows[1]]));

        Assert.Equal(2, await CountAsync());
        Assert.Equal(2, await CountAsync("WHERE status = 'success'"));
    }

    // Where the way between two edges is cut, both tell of a turn that one has sent on to the other; only the other knows what became of it.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_two_rows_of_a_turn_that_of_the_edge_that_ran_it_stays(bool itsFirst)
    {
        var ran = Some.Row("resp_1");
        var sentOn = ran with { RequestId = null, AccountId = null, Domain = null, Status = TurnStatus.Refused, EdgeId = "edge-1" };
        await Host.IngestAsync(itsFirst ? ran : sentOn);
        await Host.IngestAsync(itsFirst ? sentOn : ran);
        await Host.IngestAsync(sentOn, ran with { Status = TurnStatus.Cut });
        Assert.Equal(1, await CountAsync());
        Assert.Equal(1, await CountAsync("WHERE status = 'success' AND account_id = 'account-1' AND edge_id = 'edge-0' AND request_id = 'resp_1'"));
    }

    [Fact]
    public async Task Rows_sent_by_many_at_once_are_taken_in_once()
    {
        var rows = Enumerable.Range(0, 200).Select(index => Some.Row($"resp_{index}")).ToArray();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async sender =>
        {
            var shuffled = rows.ToArray();
            new Random(sender).Shuffle(shuffled);
            Assert.Equal(0, await Host.IngestAsync(shuffled));
        }));

        Assert.Equal(200, await CountAsync());
    }

    [Fact]
    public async Task A_thousand_rows_are_one_batch_and_one_more_is_refused()
    {
        var rows = Enumerable.Range(0, ContinuityRoutes.MaxRows).Select(index => Some.Row($"resp_{index}")).ToArray();

        Assert.Equal(0, await Host.IngestAsync(rows));
        Assert.Equal(ContinuityRoutes.MaxRows, await CountAsync());
        using var tooMany = await Host.PostRowsAsync([.. rows, Some.Row()]);
        Assert.Equal(HttpStatusCode.BadRequest, tooMany.StatusCode);
    }

    [Fact]
    public async Task Every_column_comes_back_as_it_was_sent()
    {
        var row = Some.Row("resp_1") with
        {
            RequestedAt = new DateTimeOffset(2026, 11, 5, 23, 30, 0, TimeSpan.FromHours(-3)),
            CachedInputTokens = 7,
            ReasoningTokens = 8,
            ErrorCode = "e",
            TraceParent = "t",
            Continuity = "owner=redis",
            UsageEstimated = true,
            Stored = false,
        };
        await Host.IngestAsync(row);

        Assert.Equal(
            "2026-11-06 02:30:00|resp_1|response|key-1|thread-1|account-1|domain-1|http_stream|m|success|200|e|false|1|7|2|8|3|true|4.5|6.5|edge-0|t|owner=redis",
            await Stores.Postgres.QueryAsync<string>("""
                SELECT concat_ws('|', requested_at AT TIME ZONE 'UTC', request_id, kind, api_key_id, session_id, account_id, domain, surface, model, status, http_status,
                    error_code, stored::text, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens, usage_estimated::text,
                    first_event_ms, duration_ms, edge_id, trace_parent, continuity) FROM request_logs
                """));
    }

    public static TheoryData<string, string> Poison => new()
    {
        { "NUL in a text", "thread-\0" },
        { "a text too long for its index", Convert.ToBase64String(RandomNumberGenerator.GetBytes(16_000)) },
    };

    [Theory]
    [MemberData(nameof(Poison))]
    public async Task A_poison_row_is_quarantined_and_its_neighbours_are_ingested(string what, string sessionId)
    {
        var rows = Enumerable.Range(0, 100).Select(index => Some.Row($"resp_{index}")).ToArray();
        rows[37] = rows[37] with { SessionId = sessionId };

        Assert.Equal(1, await Host.IngestAsync(rows));
        Assert.Equal(1, await Host.IngestAsync(rows));

        Assert.Equal(99, await CountAsync());
        Assert.True(await Stores.Postgres.QueryAsync<long>("SELECT count(*) FROM request_logs_set_aside WHERE id = $1", rows[37].Id) == 1, what);
        var kept = await Stores.Postgres.QueryAsync<byte[]>("SELECT row_json FROM request_logs_set_aside");
        Assert.Equal(rows[37], System.Text.Json.JsonSerializer.Deserialize(kept, ContinuityJson.Default.RequestLogRow));
    }

    [Fact]
    public async Task While_postgres_is_down_rows_are_refused_and_afterwards_taken_in_without_loss()
    {
        RequestLogRow[] rows = [Some.Row("resp_1"), Some.Row("resp_2")];
        await Host.IngestAsync(rows[0]);
        Stores.Postgres.Gate.Close();

        using var refused = await Host.PostRowsAsync(rows);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        Stores.Postgres.Gate.Open();
        await Eventually.TrueAsync(async () => (await Host.PostRowsAsync(rows)).StatusCode == HttpStatusCode.OK);
        Assert.Equal(2, await CountAsync());
    }

    private Task<long> CountAsync(string where = "") => Stores.Postgres.QueryAsync<long>("SELECT count(*) FROM request_logs " + where);
}
