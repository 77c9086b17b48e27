using System.Globalization;
using Npgsql;
using StackExchange.Redis;

namespace Testing.Stores;

/// <summary>A PostgreSQL database and a Redis database of a test's own, each behind a gate that the test can close.</summary>
public sealed class TestStores : IAsyncDisposable
{
    private readonly PostgresServer _postgres;
    private readonly RedisServer _redis;
    private readonly string _databaseName;
    private readonly int _redisNumber;

    private TestStores(PostgresServer postgres, RedisServer redis, string databaseName, int redisNumber)
    {
        (_postgres, _redis, _databaseName, _redisNumber) = (postgres, redis, databaseName, redisNumber);
        PostgresGate = new StoreGate(postgres.Port);
        RedisGate = new StoreGate(redis.Port);
        Database = NpgsqlDataSource.Create(PostgresServer.ConnectionString(postgres.Port, databaseName));
    }

    /// <summary>Makes both; the servers are started if they do not run yet.</summary>
    public static async Task<TestStores> CreateAsync(RedisKind kind = RedisKind.Garnet)
    {
        var starting = RedisServer.SharedAsync(kind);
        var postgres = await PostgresServer.SharedAsync();
        var redis = await starting;
        return new TestStores(postgres, redis, await postgres.CreateDatabaseAsync(), await redis.LendDatabaseAsync());
    }

    /// <summary>The way of <see cref="PostgresConnectionString"/>.</summary>
    public StoreGate PostgresGate { get; }

    /// <summary>The way of <see cref="RedisConnectionString"/>.</summary>
    public StoreGate RedisGate { get; }

    /// <summary>For the service under test.</summary>
    public string PostgresConnectionString => PostgresServer.ConnectionString(PostgresGate.Port, _databaseName);

    /// <summary>For the service under test.</summary>
    public string RedisConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{RedisGate.Port},defaultDatabase={_redisNumber}");

    /// <summary>The same database for the test, past the gate.</summary>
    public NpgsqlDataSource Database { get; }

    /// <summary>The same Redis database for the test, past the gate.</summary>
    public IDatabase Redis => _redis.Open(_redisNumber);

    /// <summary>All keys in Redis.</summary>
    public IReadOnlyList<string> RedisKeys => _redis.Keys(_redisNumber);

    /// <summary>As a Redis that has lost its data.</summary>
    public Task EmptyRedisAsync() => _redis.FlushAsync(_redisNumber);

    /// <summary>Runs one statement and returns its first value.</summary>
    public async Task<T> QueryAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Database.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new() { Value = parameter });
        }
        return await command.ExecuteScalarAsync() is T value ? value : default!;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        PostgresGate.Dispose();
        RedisGate.Dispose();
        await Database.DisposeAsync();
        await _postgres.DropDatabaseAsync(_databaseName);
        _redis.Return(_redisNumber);
    }
}
