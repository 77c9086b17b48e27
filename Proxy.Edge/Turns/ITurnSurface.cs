using Proxy.Edge.Recovery;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>Whether a turn goes on here.</summary>
/// <param name="IsAnswered">Somebody else has run it, or it is not this edge's to run: its client has been told.</param>
/// <param name="Signal">Nowhere, and why.</param>
internal readonly record struct Placement(bool IsAnswered = false, RecoverySignal? Signal = null)
{
    /// <summary>It does.</summary>
    public static Placement Here => default;
}

/// <summary>A turn on the surface it came on, a request or a client's socket: what <see cref="TurnRunner"/> needs where they differ.</summary>
internal interface ITurnSurface
{
    /// <summary>The turn; after a steered response its last successor.</summary>
    Turn Turn { get; }

    /// <summary>The account on which the conversation is already: preferred where nothing is demanded.</summary>
    string? CurrentAccountId { get; }

    /// <summary>Awaits what may take long, with keep-alives to the client as far as the surface has such.</summary>
    Task<T> KeepAliveAsync<T>(Task<T> work);

    /// <summary>Waits until the turn may run beside the others of its surface. To be called once, before it is resolved.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    Task EnterAsync(TurnDeadline deadline);

    /// <summary>Finds where the turn is to run. To be called once, after it is resolved.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    Task<Placement> PlaceAsync(TurnDeadline deadline);

    /// <summary>Sends the admitted turn and relays its events; null when the client has its answer, or when others go on with the turn. Else what happened instead.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    Task<RecoverySignal?> AttemptAsync(TurnDeadline deadline);

    /// <summary>Gives the client upstream's own error, as it came.</summary>
    Task SurfaceAsync(RecoverySignal rejected);

    /// <summary>Tells the client an error of ours, as the end of its turn.</summary>
    Task TellAsync(ApiError error);

    /// <summary>Ends what the client hears of a response that runs on without it.</summary>
    Task TellRunsOnAsync(ApiError error);
}
