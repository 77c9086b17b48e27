using Proxy.Edge.Protocol;

namespace Proxy.Edge.Downstream;

/// <summary>Where the events of an upstream socket go: to a client's own socket, or into the answer to its request.</summary>
internal interface IEventSink
{
    /// <summary>Passes an event on; false when nobody can take any more of this socket's events.</summary>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    Task<bool> SendAsync(EventHead head, ReadOnlyMemory<byte> json, CancellationToken cancellationToken);
}

/// <summary>A client's own socket.</summary>
internal sealed class SocketEvents(MessageSocket client) : IEventSink
{
    public Task<bool> SendAsync(EventHead head, ReadOnlyMemory<byte> json, CancellationToken cancellationToken) =>
        client.SendAsync(head.Kind == EventKind.Error ? ErrorEvents.WithStatus(json) : json, cancellationToken);
}
