using Npgsql;

namespace Testing.Stores;

/// <summary>A database that is filled once, and then copied for each test: that takes a tenth of the time of migrating anew.</summary>
/// <param name="fill">What makes it what it is, such as a service's migrations.</param>
public sealed class PostgresTemplate(Func<NpgsqlDataSource, Task> fill)
{
    private readonly Lazy<Task<string>> _name = new(() => MakeAsync(fill));

    /// <summary>The database's name. Nobody is connected to it.</summary>
    internal Task<string> NameAsync() => _name.Value;

    private static async Task<string> MakeAsync(Func<NpgsqlDataSource, Task> fill)
    {
        var server = await PostgresServer.SharedAsync();
        var name = await server.CreateDatabaseAsync();
        await using var database = NpgsqlDataSource.Create(PostgresServer.ConnectionString(server.Port, name, pooling: false));
        await fill(database);
        return name;
    }
}
