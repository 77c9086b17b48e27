using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Recovery;

/// <summary>What can happen to a turn besides its going well.</summary>
internal enum SignalKind
{
    /// <summary>Upstream said no: in an event, a frame, or the status of an answer.</summary>
    Rejected,

    /// <summary>Something answered that speaks for no model, with a status that says all is well: a redirect, a page of HTML.</summary>
    NoResponse,

    /// <summary>No connection came about; nothing was sent.</summary>
    Unreachable,

    /// <summary>The account opens no WebSocket; nothing was sent.</summary>
    NoWebSocket,

    /// <summary>The socket was found closed before the frame was handed to it.</summary>
    NotWritten,

    /// <summary>The connection ended after the turn may have been sent.</summary>
    Broken,

    /// <summary>Upstream showed no <c>response.created</c> in time.</summary>
    NotCreated,

    /// <summary>Upstream went silent within a response.</summary>
    Idle,

    /// <summary>The whole turn took too long.</summary>
    Deadline,

    /// <summary>Upstream sent an event that is too large to relay.</summary>
    EventTooLarge,

    /// <summary>The turn lost its slot.</summary>
    LeaseLost,

    /// <summary>Another edge has claimed the turn's session.</summary>
    SessionLost,

    /// <summary>Whose the turn's session is could not be asked, and it is not to be served by two edges.</summary>
    SessionUnknown,

    /// <summary>Too many turns wait for the session, or for any.</summary>
    SessionsBusy,

    /// <summary>All sockets that the turn's session may have are busy on other accounts.</summary>
    NoSessionSocket,

    /// <summary>The socket on which the anchor lived is gone.</summary>
    AnchorGone,

    /// <summary>No account was given.</summary>
    Refused,

    /// <summary>The owner of what the turn names could not be looked up.</summary>
    LookupFailed,

    /// <summary>The turn's end could not be kept, so it must not begin.</summary>
    SpoolFull,

    /// <summary>The edge stops and waits no longer.</summary>
    Draining,

    /// <summary>The caller's key was revoked, has expired, or does not cover the turn any more.</summary>
    KeyEnded,

    /// <summary>The client is gone.</summary>
    ClientLeft,

    /// <summary>A fault of ours.</summary>
    Fault,
}

/// <summary>Something that happened to a turn.</summary>
/// <param name="Error">With <see cref="SignalKind.Rejected"/> and, where a handshake was refused, <see cref="SignalKind.Unreachable"/> and <see cref="SignalKind.NoWebSocket"/>.</param>
/// <param name="CloseCode">With <see cref="SignalKind.Broken"/>; null for a connection that was cut.</param>
/// <param name="Refusal">With <see cref="SignalKind.Refused"/>; null for an accounts service that does not answer.</param>
/// <param name="First">With <see cref="SignalKind.Refused"/>: what the turn should have been sent once more for.</param>
/// <param name="IsAlone">No other turn was on the upstream socket.</param>
internal sealed record RecoverySignal(
    SignalKind Kind, UpstreamError? Error = null, int? CloseCode = null, AdmissionRefusal? Refusal = null, RecoverySignal? First = null, bool IsAlone = true)
{
    /// <summary>With <see cref="SignalKind.Broken"/> over plain HTTP: not a byte of an answer had come.</summary>
    public bool IsUnanswered { get; init; }

    /// <summary>The event, frame or body as it came, for the client to read if nothing better is to be had.</summary>
    public ReadOnlyMemory<byte> Raw { get; init; }
}
