namespace Testing.Stores;

/// <summary>A database of a test's own in each of the two stores.</summary>
public sealed class TestStores : IAsyncDisposable
{
    private TestStores(PostgresStore postgres, RedisStore redis) => (Postgres, Redis) = (postgres, redis);

    /// <summary>Makes both; the servers are started if they do not run yet.</summary>
    public static async Task<TestStores> CreateAsync(RedisKind kind = RedisKind.Garnet)
    {
        var redis = RedisStore.CreateAsync(kind);
        return new TestStores(await PostgresStore.CreateAsync(), await redis);
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
