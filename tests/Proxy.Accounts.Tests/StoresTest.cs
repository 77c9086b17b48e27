using Proxy.Accounts.Contracts;
using Testing.Stores;

namespace Proxy.Accounts.Tests;

/// <summary>A test with stores of its own.</summary>
public abstract class StoresTest : IAsyncLifetime
{
    private protected TestStores Stores { get; private set; } = null!;

    public async Task InitializeAsync() => Stores = await TestStores.CreateAsync(AccountsHost.Migrated);

    public async Task DisposeAsync() => await Stores.DisposeAsync();

    private protected static SettledTurn Settled(Guid turn, string accountId, string outcome = "success", long tokens = 3) => new(
        turn, "key-1", accountId, "m", outcome, TimeProvider.System.GetUtcNow(), Estimated: false, 1, 0, 2, 0, tokens);

    private protected static string Seed(string accounts, string keys = "") => $$"""{"accounts":[{{accounts}}],"apiKeys":[{{keys}}]}""";

    private protected static string AccountJson(string name, string more = "", string token = "sk-secret-of-the-upstream") =>
        $$"""{"name":"{{name}}","baseUrl":"https://upstream.test/v1/","credential":{"kind":"bearer","token":"{{token}}"}{{(more.Length > 0 ? "," + more : "")}}}""";
}
