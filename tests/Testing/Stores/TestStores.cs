namespace Testing.Stores;

/// <summary>A database of a test's own in each of the two stores.</summary>
public sealed class TestStores : IAsyncDisposable
{
    private TestStores(PostgresStore postgres, RedisStore redis) => (Postgres, Redis) = (postgres, redis);

    /// <summary>Makes both, the PostgreSQL one empty or a copy of a template; the servers are started if they do not run yet.</summary>
    public static async Task<TestStores> CreateAsync(PostgresTemplate? template = null)
    {
        var redis = RedisStore.CreateAsync();
        return new TestStores(await PostgresStore.CreateAsync(template), await redis);
    }

    /// <summary>The database in PostgreSQL.</summary>
    public PostgresStore Postgres { get; }

    /// <summary>The database in Redis.</summary>
    public RedisStore Redis { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Redis.Dispose();
        await Postgres.DisposeAsync();
    }
}
