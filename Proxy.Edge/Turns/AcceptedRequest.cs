using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Turns;

/// <summary>What was asked for, as it was accepted: a turn, or a request that only passes. It never changes.</summary>
/// <param name="Id">Ours; everything about it is idempotent by it.</param>
/// <param name="At">When it was accepted: half of the log row's key.</param>
/// <param name="Timestamp">The same moment on the monotonic clock.</param>
/// <param name="Surface">The one of <see cref="Surfaces"/> on which it came.</param>
internal sealed record AcceptedRequest(Guid Id, DateTimeOffset At, long Timestamp, TurnRequest Request, Caller Caller, TurnScope Scope, string Surface)
{
    /// <summary>What an id in the answer names: a response, unless the route makes something else.</summary>
    public string MintedKind { get; init; } = OwnedKinds.Response;

    /// <summary>True for the Codex CLI, which recovers from a dead anchor unseen, and takes nothing but JSON events for a keep-alive.</summary>
    public bool IsCodex { get; init; }

    /// <summary>True for a turn that upstream began by itself, on a lane whose client sees it already: there is no request of its own to repeat.</summary>
    public bool IsSuccessor { get; init; }

    /// <summary>Length of the request, for the estimate of a cut turn's usage.</summary>
    public int Bytes { get; init; }

    /// <summary>The surface, given the session that carries it or on whose socket its anchor lived.</summary>
    public string SurfaceOn(string? session) => session is null || Surface == Surfaces.WebSocket ? Surface : Surfaces.HttpSession;
}
