using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Hosting;
using Testing;

namespace Proxy.Edge.Tests.Lifecycle;

public sealed class SteadyLoopTests
{
    [Fact]
    public async Task A_loop_that_throws_begins_again()
    {
        using var log = new LogBook();
        using var stop = new CancellationTokenSource();
        var time = new FakeTimeProvider();
        var begun = 0;
        var running = SteadyLoop.RunAsync(
            async stopping =>
            {
                if (Interlocked.Increment(ref begun) < 3)
                {
                    throw new InvalidOperationException("Nobody foresaw it.");
                }
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping);
            },
            time, log.CreateLogger(""), stop.Token);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return Volatile.Read(ref begun) == 3;
        });
        Assert.Equal(2, log.Entries.Count(entry => entry.Level == LogLevel.Error));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task A_loop_that_ends_has_ended() => await SteadyLoop.RunAsync(_ => Task.CompletedTask, TimeProvider.System, new LogBook(), default);
}
