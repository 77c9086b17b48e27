using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>A turn on a lane of a client's socket, with the frame that asks for it.</summary>
/// <param name="slot">The turn, and its slot of an account.</param>
/// <param name="frame">As it came; owned by the turn.</param>
internal sealed class SocketTurn(Lease<Turn> slot, PooledBody frame, ClientSocket client, UpstreamLinks links) : ITurnSurface, IDisposable
{
    private IDisposable? _place;

    public Turn Turn { get; private set; } = slot.Value;

    public string Lane => slot.Value.Request.StreamId ?? LaneQueue.Default;

    public string? CurrentAccountId => client.CurrentAccountId;

    public Task<T> KeepAliveAsync<T>(Task<T> work) => client.KeepAliveAsync(Turn, work);

    public async Task EnterAsync(TurnDeadline deadline) => _place = await KeepAliveAsync(client.EnterAsync(deadline.Token));

    public Task<Placement> PlaceAsync(TurnDeadline deadline) => Task.FromResult(Turn.Route.Anchor == Anchor.Local && !links.Holds(Turn.Request.PreviousResponseId!)
        ? new Placement(Signal: new RecoverySignal(SignalKind.AnchorGone))
        : Placement.Here);

    public async Task<RecoverySignal?> AttemptAsync(TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        var turnAttempt = Turn.BeginAttempt();
        UpstreamLink? link;
        RecoverySignal? signal;
        try
        {
            (link, signal) = await KeepAliveAsync(links.GetAsync(turnAttempt, Lane, limits.Token));
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return new RecoverySignal(limits.Reason);
        }
        if (link is null)
        {
            return signal;
        }
        client.CurrentAccountId = link.Account.Id;
        var attempt = new SocketAttempt(turnAttempt, Lane, limits, client.Events);
        signal = await KeepAliveAsync(
            link.RunAsync(attempt, RequestSplices.For(Turn, frame.Memory)).GiveBackWhenBegunAsync(limits, Turn, frame));
        link.RetireIfUseless(signal, Turn.Route.Anchor);
        Turn = attempt.Turn;
        return signal;
    }

    /// <summary>Waits for the end of a turn that upstream has begun by itself; as <see cref="AttemptAsync"/>.</summary>
    public async Task<RecoverySignal?> FollowAsync(UpstreamLink link, SocketAttempt attempt)
    {
        var signal = await link.WaitAsync(attempt);
        Turn = attempt.Turn;
        return signal;
    }

    public Task SurfaceAsync(RecoverySignal rejected) => client.SendAsync(ErrorEvents.WithStatus(rejected.Raw));

    public Task TellAsync(ApiError error) => client.SendAsync(Turn.Response.HasBegun
        ? ErrorEvents.FailedFrame(error, Turn.Response.Id, Turn.Response.LastSequence + 1, Turn.Request.StreamId)
        : ErrorEvents.ErrorFrame(error, Turn.Request.StreamId));

    public Task TellRunsOnAsync(ApiError error) => client.SendAsync(ErrorEvents.ErrorFrame(error, Turn.Request.StreamId));

    public void Dispose()
    {
        _place?.Dispose();
        slot.Dispose();
        frame.Dispose();
    }
}
