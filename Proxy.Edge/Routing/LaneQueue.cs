using System.Threading.Channels;

namespace Proxy.Edge.Routing;

/// <summary>
/// Turns with the same <c>stream_id</c> on one client socket: they run one after the other, in the order they came. The lane's task runs
/// as long as its socket does.
/// </summary>
internal sealed class LaneQueue(Func<SocketTurn, Task> run)
{
    /// <summary>The lane of frames without a <c>stream_id</c>.</summary>
    public const string Default = "";

    private const int MaxQueued = 64;

    private readonly Channel<SocketTurn> _queue = Channel.CreateBounded<SocketTurn>(
        new BoundedChannelOptions(MaxQueued) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait });

    /// <summary>False when too many wait.</summary>
    public bool TryQueue(SocketTurn turn) => _queue.Writer.TryWrite(turn);

    /// <summary>No more turns come.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Runs the turns until there are no more to come.</summary>
    public async Task RunAsync()
    {
        await foreach (var turn in _queue.Reader.ReadAllAsync(CancellationToken.None))
        {
            await run(turn);
        }
    }
}
