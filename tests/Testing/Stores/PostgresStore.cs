using Npgsql;

namespace Testing.Stores;

/// <summary>A PostgreSQL database of a test's own, behind a gate that the test can close.</summary>
public sealed class PostgresStore : IAsyncDisposable
{
    private readonly PostgresServer _server;
    private readonly string _name;

    private PostgresStore(PostgresServer server, string name)
    {
        (_server, _name) = (server, name);
        Gate = new StoreGate(server.Port);
        Database = NpgsqlDataSource.Create(PostgresServer.ConnectionString(server.Port, name));
    }

    /// <summary>Makes one, empty or a copy of a template; the server is started if it does not run yet.</summary>
    public static async Task<PostgresStore> CreateAsync(PostgresTemplate? template = null)
    {
        var server = await PostgresServer.SharedAsync();
        return new PostgresStore(server, template is null ? await server.CreateDatabaseAsync() : await server.CreateDatabaseAsync(await template.NameAsync()));
    }

    /// <summary>The way of <see cref="ConnectionString"/>.</summary>
    public StoreGate Gate { get; }

    /// <summary>For the service under test.</summary>
    public string ConnectionString => PostgresServer.ConnectionString(Gate.Port, _name);

    /// <summary>The same database for the test, past the gate.</summary>
    public NpgsqlDataSource Database { get; }

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
        Gate.Dispose();
        await Database.DisposeAsync();
        await _server.DropDatabaseAsync(_name);
    }
}
