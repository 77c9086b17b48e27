using AppHost.Stores;
using Npgsql;
using Testing.Stores;

namespace AppHost.Tests;

/// <summary>What a service's credentials open.</summary>
public sealed class DatabaseOwnersTests
{
    private const string PermissionDenied = "42501";

    [Fact]
    public async Task A_role_owns_its_database_and_what_was_in_it_before_and_opens_no_other()
    {
        await using var store = await PostgresStore.CreateAsync();
        var administrator = store.ConnectionString;
        await RunAsync(administrator, "CREATE DATABASE from_before");
        await RunAsync($"{administrator};Database=from_before", """
            CREATE TABLE rows (id bigserial, day date) PARTITION BY RANGE (day);
            CREATE TABLE rows_default PARTITION OF rows DEFAULT;
            CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
            CREATE SEQUENCE numbers;
            """);
        // Also when it is started again.
        for (var start = 0; start < 2; start++)
        {
            await DatabaseOwners.EnsureAsync(administrator, "from_before", "a-password", default);
            await DatabaseOwners.EnsureAsync(administrator, "made_new", "another'password", default);
        }

        await RunAsync(As("from_before", "from_before"), """
            INSERT INTO rows (day) VALUES (now());
            ALTER TABLE rows ADD COLUMN more text;
            DROP FUNCTION one();
            DROP SEQUENCE numbers;
            CREATE TABLE others (id int);
            """);
        await RunAsync(As("made_new", "made_new"), "CREATE TABLE rows (id int)");
        foreach (var other in new[] { "from_before", "postgres", "template1" })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => RunAsync(As("made_new", other), "SELECT 1"));
            Assert.Equal(PermissionDenied, refused.SqlState);
        }
        Assert.Equal(0L, await store.QueryAsync<long>("SELECT count(*) FROM pg_roles WHERE rolname IN ('from_before', 'made_new') AND (rolsuper OR rolcreatedb OR rolcreaterole)"));

        string As(string role, string database) => $"{administrator};Username={role};Database={database}";
    }

    private static async Task RunAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        _ = await command.ExecuteNonQueryAsync();
    }
}
