using Microsoft.Extensions.Logging.Abstractions;
using ServiceDefaults.Data;
using Testing.Stores;

namespace Proxy.Continuity.Tests;

public sealed class MigrationTests : IAsyncLifetime
{
    private TestStores _stores = null!;

    public async Task InitializeAsync() => _stores = await TestStores.CreateAsync();

    public async Task DisposeAsync() => await _stores.DisposeAsync();

    [Fact]
    public async Task Migrating_again_does_nothing()
    {
        Assert.True(await MigrateAsync() > 0);
        Assert.Equal(0, await MigrateAsync());
    }

    [Fact]
    public async Task Of_eight_that_migrate_at_once_one_does()
    {
        var counts = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => MigrateAsync()));

        Assert.Single(counts, count => count > 0);
    }

    [Fact]
    public async Task A_file_that_was_changed_after_it_had_been_applied_is_refused()
    {
        await MigrateAsync();
        await _stores.Postgres.QueryAsync<object>("UPDATE schema_migrations SET checksum = 'another'");

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(MigrateAsync);

        Assert.Contains("0001_request_logs.sql was changed", refusal.Message, StringComparison.Ordinal);
        await _stores.Postgres.QueryAsync<object>("UPDATE schema_migrations SET checksum = 'another'");
        // The refusal has left no lock behind.
        await Assert.ThrowsAsync<InvalidOperationException>(MigrateAsync);
    }

    private Task<int> MigrateAsync() => new Migrator(_stores.Postgres.Database, NullLogger<Migrator>.Instance).MigrateAsync(typeof(ContinuityService).Assembly, default);
}
