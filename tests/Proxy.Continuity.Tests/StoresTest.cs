using Testing.Stores;

namespace Proxy.Continuity.Tests;

/// <summary>A test with stores of its own and a service on them.</summary>
public abstract class StoresTest : IAsyncLifetime
{
    private protected TestStores Stores { get; private set; } = null!;

    private protected ContinuityHost Host { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Stores = await TestStores.CreateAsync(ContinuityHost.Migrated);
        Host = await ContinuityHost.StartAsync(Stores);
    }

    public async Task DisposeAsync()
    {
        await Host.DisposeAsync();
        await Stores.DisposeAsync();
    }
}
