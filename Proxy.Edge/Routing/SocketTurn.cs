using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>A turn on a lane of a client's socket, with the frame that asks for it, until its response has ended.</summary>
internal sealed class SocketTurn(Turn turn, PooledBody frame) : IDisposable
{
    private readonly TaskCompletionSource<ApiError?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Turn Turn { get; } = turn;

    /// <summary>The frame as it came; owned by the turn.</summary>
    public PooledBody Frame { get; } = frame;

    /// <summary>Set while it is on an upstream socket.</summary>
    public TurnDeadline? Deadline { get; set; }

    /// <summary>Null when upstream's terminal event was relayed; else what the client still has to be told.</summary>
    public Task<ApiError?> Ended => _ended.Task;

    /// <summary>The first to say how the turn has ended is right.</summary>
    public bool TryEnd(ApiError? error) => _ended.TrySetResult(error);

    public void Dispose() => Frame.Dispose();
}
