using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Proxy.Continuity.RequestLogs;
using Testing;
using Testing.Stores;

namespace Proxy.Continuity.Tests;

public sealed class PartitionTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2031, 3, 10, 12, 0, 0, TimeSpan.Zero));
    private TestStores _stores = null!;
    private ContinuityHost _host = null!;

    public async Task InitializeAsync()
    {
        _stores = await TestStores.CreateAsync(ContinuityHost.Migrated);
        _host = await ContinuityHost.StartAsync(_stores, _time);
        await Eventually.TrueAsync(async () => (await PartitionsAsync()).Length > 0);
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        await _stores.DisposeAsync();
    }

    [Fact]
    public async Task Partitions_are_made_from_yesterday_to_a_week_ahead() =>
        Assert.Equal(Enumerable.Range(9, 9).Select(day => $"request_logs_203103{day:00}"), await PartitionsAsync());

    [Fact]
    public async Task A_row_goes_into_the_partition_of_its_utc_day_or_into_the_default_one()
    {
        await _host.IngestAsync(
            Some.Row("a", at: new DateTimeOffset(2031, 3, 10, 0, 0, 0, TimeSpan.Zero)), Some.Row("b", at: new DateTimeOffset(2031, 3, 11, 1, 0, 0, TimeSpan.FromHours(2))),
            Some.Row("c", at: new DateTimeOffset(2031, 3, 11, 0, 0, 0, TimeSpan.Zero)), Some.Row("d", at: new DateTimeOffset(2031, 5, 1, 0, 0, 0, TimeSpan.Zero)));

        Assert.Equal("a:request_logs_20310310 b:request_logs_20310310 c:request_logs_20310311 d:request_logs_default",
            await _stores.Postgres.QueryAsync<string>("SELECT string_agg(request_id || ':' || tableoid::regclass::text, ' ' ORDER BY request_id) FROM request_logs"));
    }

    [Fact]
    public async Task A_day_whose_rows_are_in_the_default_partition_stays_there_and_stops_nothing()
    {
        await _host.IngestAsync(Some.Row("early", at: new DateTimeOffset(2031, 3, 18, 5, 0, 0, TimeSpan.Zero)));
        _time.SetUtcNow(new DateTimeOffset(2031, 3, 12, 12, 0, 0, TimeSpan.Zero));

        await UpkeepAsync();

        var partitions = await PartitionsAsync();
        Assert.DoesNotContain("request_logs_20310318", partitions);
        Assert.Contains("request_logs_20310319", partitions);
        Assert.Equal(0, await _host.IngestAsync(Some.Row("late", at: new DateTimeOffset(2031, 3, 18, 6, 0, 0, TimeSpan.Zero))));
    }

    [Fact]
    public async Task Upkeep_drops_what_is_past_its_retention_and_nothing_else()
    {
        await _host.IngestAsync(
            Some.Row("old", at: new DateTimeOffset(2031, 3, 9, 23, 59, 59, TimeSpan.Zero)), Some.Row("kept", at: new DateTimeOffset(2031, 3, 10, 0, 0, 0, TimeSpan.Zero)),
            Some.Row("old-default", at: new DateTimeOffset(2031, 3, 1, 0, 0, 0, TimeSpan.Zero)), Some.Row("kept-default", at: new DateTimeOffset(2031, 3, 30, 0, 0, 0, TimeSpan.Zero)));
        _time.SetUtcNow(new DateTimeOffset(2031, 4, 19, 0, 0, 1, TimeSpan.Zero));

        await UpkeepAsync();

        Assert.Equal("kept kept-default", await _stores.Postgres.QueryAsync<string>("SELECT string_agg(request_id, ' ' ORDER BY request_id) FROM request_logs"));
        Assert.DoesNotContain("request_logs_20310309", await PartitionsAsync());
    }

    [Fact]
    public async Task Any_number_of_instances_may_do_the_upkeep_at_once_while_rows_come_in()
    {
        _time.SetUtcNow(new DateTimeOffset(2031, 4, 25, 0, 0, 0, TimeSpan.Zero));

        await Task.WhenAll([.. Enumerable.Range(0, 8).Select(_ => UpkeepAsync()), .. Enumerable.Range(0, 8).Select(_ =>
            Eventually.TrueAsync(async () => (await _host.PostRowsAsync(Some.Row(at: _time.GetUtcNow()))).IsSuccessStatusCode))]);

        Assert.Equal(8, await _stores.Postgres.QueryAsync<long>("SELECT count(*) FROM request_logs"));
    }

    [Fact]
    public async Task Upkeep_that_finds_postgres_away_is_done_when_it_is_back()
    {
        _stores.Postgres.Gate.Close();
        _time.SetUtcNow(new DateTimeOffset(2031, 6, 1, 0, 0, 0, TimeSpan.Zero));
        await Assert.ThrowsAnyAsync<Exception>(UpkeepAsync);
        _stores.Postgres.Gate.Open();

        await Eventually.TrueAsync(async () =>
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            return (await PartitionsAsync()).Contains("request_logs_20310601");
        });
    }

    private Task UpkeepAsync() => _host.Services.GetServices<IHostedService>().OfType<RequestLogPartitions>().Single().MaintainAsync(default);

    private Task<string[]> PartitionsAsync() => _stores.Postgres.QueryAsync<string[]>(
        "SELECT COALESCE(array_agg(relname::text ORDER BY relname), '{}') FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'request_logs'::regclass AND relname <> 'request_logs_default'");
}
