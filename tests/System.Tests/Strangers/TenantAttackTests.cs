using System.Collections.Concurrent;
using Testing;
using Xunit.Abstractions;

namespace WholeSystem.Strangers;

/// <summary>Whatever one tenant sends, the other one's turns are all served, and soon, and the edge takes no more memory than it may.</summary>
public sealed class TenantAttackTests(AttackedSystem system, ITestOutputHelper output) : IClassFixture<AttackedSystem>
{
    private const int Attackers = 4;
    private const int Turns = 200;
    private static readonly TimeSpan MostOfThem = TimeSpan.FromMilliseconds(250);
    // One attacker does not take the processor that he, his victim and all they attack share here.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static TheoryData<string> Names => [.. Attacks.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task One_tenants_attack_is_nothing_to_another(string name)
    {
        using var victim = new ApiClient(system.Address, AttackedSystem.Victim);
        var before = system.ResidentBytes;
        using var over = new CancellationTokenSource();
        var (rounds, most) = (0, before);
        var attacking = Enumerable.Range(0, Attackers).Select(_ => Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                await Attacks.All[name](system);
                Interlocked.Increment(ref rounds);
                await Task.Delay(Pause, TimeProvider.System);
            }
        })).ToList();
        await Eventually.TrueAsync(() => Volatile.Read(ref rounds) > 0 || attacking.Any(attack => attack.IsCompleted));

        var elapsed = await TurnsAsync(victim, Turns, () => InterlockedMax(ref most, system.ResidentBytes));
        await over.CancelAsync();
        await Task.WhenAll(attacking);

        var slowest = elapsed[(int)(elapsed.Count * 0.99)];
        output.WriteLine($"{rounds} rounds; turns: half within {elapsed[elapsed.Count / 2].TotalMilliseconds:F0} ms, 99 of 100 within {slowest.TotalMilliseconds:F0} ms; {before >> 20} MiB before, {most >> 20} at most");
        Assert.InRange(slowest, TimeSpan.Zero, MostOfThem);
        // A container would have been killed.
        Assert.InRange(most, 1, AttackedSystem.ContainerBytes);
    }

    private static void InterlockedMax(ref long most, long bytes)
    {
        for (var known = Volatile.Read(ref most); bytes > known;)
        {
            var before = Interlocked.CompareExchange(ref most, bytes, known);
            if (before == known)
            {
                return;
            }
            known = before;
        }
    }

    /// <summary>Turns one after the other on two connections; how long each took, the shortest first. Each must be served.</summary>
    internal static async Task<IReadOnlyList<TimeSpan>> TurnsAsync(ApiClient victim, int turns, Action? beside = null)
    {
        var elapsed = new ConcurrentBag<TimeSpan>();
        await Task.WhenAll(Enumerable.Range(0, 2).Select(async number =>
        {
            for (var turn = 0; turn < turns / 2; turn++)
            {
                var began = TimeProvider.System.GetTimestamp();
                var events = await victim.StreamAsync($"turn {turn} of {number}");
                elapsed.Add(TimeProvider.System.GetElapsedTime(began));
                Assert.True(events.Count > 0 && (string?)events[^1]["type"] == "response.completed", events.Count > 0 ? events[^1].ToJsonString() : "no event");
                beside?.Invoke();
            }
        }));
        return [.. elapsed.Order()];
    }
}
