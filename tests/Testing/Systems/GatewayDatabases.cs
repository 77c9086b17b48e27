using Testing.Processes;
using Testing.Stores;

namespace Testing.Systems;

/// <summary>The databases of one gateway on the server of the test process, copied from two that the services' own migrations have made once.</summary>
internal sealed class GatewayDatabases : IAsyncDisposable
{
    private static readonly TimeSpan MigrationLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan DropLimit = TimeSpan.FromSeconds(20);
    private static readonly Lazy<Task<(string Continuity, string Accounts)>> Templates = new(MakeTemplatesAsync);

    private readonly PostgresServer _server;
    private readonly (string Continuity, string Accounts) _names;

    private GatewayDatabases(PostgresServer server, (string, string) names) => (_server, _names) = (server, names);

    /// <summary>The server's process.</summary>
    public RestartingProcess Server => _server.Process;

    public string Continuity => PostgresServer.ConnectionString(_server.Port, _names.Continuity);

    public string Accounts => PostgresServer.ConnectionString(_server.Port, _names.Accounts);

    public static async Task<GatewayDatabases> CreateAsync()
    {
        var server = await PostgresServer.SharedAsync();
        var templates = await Templates.Value;
        return new GatewayDatabases(server, await BothAsync(server.CreateDatabaseAsync(templates.Continuity), server.CreateDatabaseAsync(templates.Accounts)));
    }

    /// <summary>Drops them; the server may have been killed a moment ago.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var name in new[] { _names.Continuity, _names.Accounts })
        {
            await Eventually.SucceedsAsync(() => _server.DropDatabaseAsync(name), DropLimit);
        }
    }

    private static async Task<(string, string)> MakeTemplatesAsync()
    {
        var server = await PostgresServer.SharedAsync();
        return await BothAsync(MigrateAsync(server, "Proxy.Continuity", "continuitydb"), MigrateAsync(server, "Proxy.Accounts", "accountsdb"));
    }

    private static async Task<string> MigrateAsync(PostgresServer server, string project, string connectionName)
    {
        var name = await server.CreateDatabaseAsync();
        await ChildProcess.RunAsync(ServiceLaunches.Migrations(project, connectionName, PostgresServer.ConnectionString(server.Port, name)), MigrationLimit);
        return name;
    }

    private static async Task<(string, string)> BothAsync(Task<string> continuity, Task<string> accounts)
    {
        await Task.WhenAll(continuity, accounts);
        return (await continuity, await accounts);
    }
}
