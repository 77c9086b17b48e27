using System.Net;
using Proxy.Accounts.Contracts;
using Testing;

namespace Proxy.Accounts.Tests;

/// <summary>A key that asks for everything there is, and one that asks for a little.</summary>
public sealed class FairnessTests : StoresTest
{
    private const string Keys = """{"name":"greedy","key":"cp-greedy-0123456789"},{"name":"modest","key":"cp-modest-0123456789"}""";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_key_with_many_turns_that_wait_does_not_hold_another_up(bool onTwoReplicas)
    {
        await using var host = await AccountsHost.StartAsync(Stores, Seed(AccountJson("main", "\"maxConcurrentTurns\":1"), Keys));
        await using var second = onTwoReplicas ? await AccountsHost.StartAsync(Stores) : null;
        var other = second ?? host;
        var (greedy, modest) = ((await host.CheckKeyAsync("cp-greedy-0123456789"))!.Id, (await host.CheckKeyAsync("cp-modest-0123456789"))!.Id);
        var account = await host.AccountIdAsync("main");
        using var over = new CancellationTokenSource();
        var served = 0;
        var first = Guid.CreateVersion7();
        Assert.NotNull((await host.AdmitAsync(first, keyId: greedy)).Account);
        var many = Enumerable.Range(0, 20).Select(_ => KeepAskingAsync()).ToArray();
        await KnownToWaitAsync(greedy);
        var asking = other.AdmitAsync(keyId: modest, waitMs: 60_000);
        await KnownToWaitAsync(modest);

        Assert.Equal(HttpStatusCode.NoContent, await host.SettleAsync(Settled(first, account)));
        Assert.NotNull((await asking.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System)).Account);

        // One may have been on its way.
        Assert.InRange(Volatile.Read(ref served), 0, 1);
        await over.CancelAsync();
        await Task.WhenAll(many);

        async Task KeepAskingAsync()
        {
            try
            {
                while (true)
                {
                    var turn = Guid.CreateVersion7();
                    if ((await host.AdmitAsync(turn, keyId: greedy, waitMs: 60_000, cancellationToken: over.Token)).Account is not null)
                    {
                        Interlocked.Increment(ref served);
                        await host.SettleAsync(Settled(turn, account));
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // Enough.
            }
        }

        async Task KnownToWaitAsync(string key) =>
            await Eventually.TrueAsync(async () => await Stores.Redis.Database.SortedSetScoreAsync($"accounts:{{pool}}:waiting:{account}", key) is not null);
    }

    [Fact]
    public async Task A_key_that_takes_all_places_to_wait_leaves_one_to_another()
    {
        await using var host = await AccountsHost.StartAsync(
            Stores, Seed(AccountJson("main", "\"maxConcurrentTurns\":1"), Keys), settings: new() { ["Accounts:MaxWaitingTurns"] = "4" });
        var (greedy, modest) = ((await host.CheckKeyAsync("cp-greedy-0123456789"))!.Id, (await host.CheckKeyAsync("cp-modest-0123456789"))!.Id);
        var first = Guid.CreateVersion7();
        await host.AdmitAsync(first, keyId: greedy);
        var many = Enumerable.Range(0, 6).Select(_ => host.AdmitAsync(keyId: greedy, waitMs: 60_000)).ToList();
        // Two too many are told at once.
        await Eventually.TrueAsync(() => many.Count(asking => asking.IsCompleted) == 2);
        var asking = host.AdmitAsync(keyId: modest, waitMs: 60_000);
        await Eventually.TrueAsync(() => many.Count(one => one.IsCompleted) == 3);
        foreach (var refused in many.Where(one => one.IsCompleted))
        {
            Assert.Equal(RefusalReason.AtCapacity, (await refused).Refusal?.Reason);
        }
        Assert.False(asking.IsCompleted);
        await host.SettleAsync(Settled(first, await host.AccountIdAsync("main")));
        Assert.NotNull((await asking.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System)).Account);
    }
}
