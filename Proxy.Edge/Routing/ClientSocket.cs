using Proxy.Edge.Downstream;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>A client's WebSocket as its turns see it: what it is told, and how many run at a time.</summary>
/// <param name="ended">Canceled when the client has left.</param>
internal sealed class ClientSocket(MessageSocket socket, TimeSpan keepAlive, TimeProvider time, CancellationToken ended) : IDisposable
{
    private const int MaxInFlight = 16;

    private readonly SemaphoreSlim _inFlight = new(MaxInFlight);
    private volatile string? _currentAccountId;

    /// <summary>Canceled when the client has left.</summary>
    public CancellationToken Ended => ended;

    /// <summary>Where the events of its turns go.</summary>
    public SocketEvents Events { get; } = new(socket);

    /// <summary>The account that the socket's last turn was on: where nothing is demanded, the next one goes there too.</summary>
    public string? CurrentAccountId
    {
        get => _currentAccountId;
        set => _currentAccountId = value;
    }

    /// <summary>A place among the turns that run, when there is one.</summary>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public async Task<IDisposable> EnterAsync(CancellationToken cancellationToken)
    {
        await _inFlight.WaitAsync(cancellationToken);
        return new Lease<SemaphoreSlim>(_inFlight, static places => places.Release());
    }

    /// <summary>
    /// Awaits what may take long for a turn, with keep-alives to Codex: it takes any JSON event for one, and nothing else. An event of ours must not be numbered among upstream's.
    /// </summary>
    public Task<T> KeepAliveAsync<T>(Turn turn, Task<T> work) => KeepAlive.AwaitAsync(
        work, keepAlive, time, () => turn is { Accepted.IsCodex: true, Response.HasBegun: false }, () => SendAsync(ErrorEvents.KeepAliveFrame(turn.Request.StreamId)));

    /// <summary>Tells the client something that is about no turn, or about one that never came to be.</summary>
    public Task TellAsync(ApiError error, string? streamId) => SendAsync(ErrorEvents.ErrorFrame(error, streamId));

    /// <summary>Tells the client that what it is about does not run here, in upstream's words.</summary>
    public Task TellNotRunningAsync(TurnRequest request, string responseId) => SendAsync(request.Type == WireTypes.Steer
        ? ErrorEvents.SteerFailedFrame($"steer_{Guid.CreateVersion7():N}", responseId)
        : ErrorEvents.ErrorFrame(Errors.ResponseNotRunning(responseId), request.StreamId));

    /// <summary>Sends a frame of ours.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> frame)
    {
        try
        {
            await socket.SendAsync(frame, ended);
        }
        catch (OperationCanceledException)
        {
            // Nobody is there to be told.
        }
    }

    public void Dispose() => _inFlight.Dispose();
}
