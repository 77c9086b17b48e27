using Npgsql;

namespace AppHost.Stores;

/// <summary>Gives each service's database an owner of its own: what one service's credentials open is not the other's.</summary>
internal static class DatabaseOwners
{
    private static readonly string MakeOwner = Read("database-owner.sql");
    private static readonly string HandOver = Read("hand-over.sql");

    /// <summary>Makes the role and its database where they are missing, and hands the database over; may be repeated.</summary>
    /// <param name="administrator">How the server's administrator connects, without a database.</param>
    /// <param name="role">The name of both.</param>
    public static async Task EnsureAsync(string administrator, string role, string password, CancellationToken cancellationToken)
    {
        await using (var connection = await OpenAsync(administrator, "postgres", cancellationToken))
        {
            await SetAsync(connection, "owner.role", role, cancellationToken);
            await SetAsync(connection, "owner.password", password, cancellationToken);
            await RunAsync(connection, MakeOwner, cancellationToken);
            await using var find = new NpgsqlCommand("SELECT 1 FROM pg_database WHERE datname = $1", connection) { Parameters = { new() { Value = role } } };
            if (await find.ExecuteScalarAsync(cancellationToken) is null)
            {
                await RunAsync(connection, $"CREATE DATABASE \"{role}\" OWNER \"{role}\"", cancellationToken);
            }
        }
        await using var database = await OpenAsync(administrator, role, cancellationToken);
        await SetAsync(database, "owner.role", role, cancellationToken);
        await RunAsync(database, HandOver, cancellationToken);
    }

    /// <summary>A connection of the server's administrator, which is not pooled.</summary>
    /// <exception cref="NpgsqlException">The server is away.</exception>
    public static async Task<NpgsqlConnection> OpenAsync(string administrator, string database, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection($"{administrator};Database={database};Pooling=false;Timeout=2");
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    // Statements that define take no parameters.
    private static async Task SetAsync(NpgsqlConnection connection, string name, string value, CancellationToken cancellationToken)
    {
        await using var set = new NpgsqlCommand("SELECT set_config($1, $2, false)", connection) { Parameters = { new() { Value = name }, new() { Value = value } } };
        _ = await set.ExecuteScalarAsync(cancellationToken);
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        _ = await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string Read(string file) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Stores", file));
}
