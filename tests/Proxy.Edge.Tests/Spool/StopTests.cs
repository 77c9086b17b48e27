namespace Proxy.Edge.Tests.Spool;

/// <summary>A backlog has one owner: two would read the same turns and take each other's acknowledgements.</summary>
public sealed class StopTests
{
    [Fact]
    public async Task The_last_round_waits_until_a_call_that_is_still_running_has_ended()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        using var slow = new SlowToBeCancelled();
        shipping.Spool.End(ShippingSpool.Row("success"));
        await shipping.ShipAsync(slow);
        await slow.Cancellable;

        await shipping.StopAsync();

        Assert.Equal(1, slow.MostAtOnce);
        await shipping.EverythingIsShippedAsync(rows: 1, settled: 1);
    }

    /// <summary>Its first call comes back only a while after it was cancelled, as one does whose connection takes its time to close; or when another call comes.</summary>
    private sealed class SlowToBeCancelled : DelegatingHandler
    {
        private static readonly TimeSpan While = TimeSpan.FromMilliseconds(500);

        private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _calls, _now, _most;

        public Task Cancellable => _first.Task;

        public int MostAtOnce => _most;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            _most = Math.Max(_most, Interlocked.Increment(ref _now));
            try
            {
                if (Interlocked.Increment(ref _calls) > 1)
                {
                    _second.TrySetResult();
                    return await base.SendAsync(request, cancellationToken);
                }
                _first.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await Task.WhenAny(_second.Task, Task.Delay(While, TimeProvider.System, CancellationToken.None));
                throw new OperationCanceledException(cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _now);
            }
        }
    }
}
