using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>A turn on a lane of a client's socket, with the frame that asks for it.</summary>
/// <param name="slot">The turn, and its slot of an account.</param>
/// <param name="frame">As it came; owned by the turn.</param>
internal sealed class SocketTurn(Lease<Turn> slot, PooledBody frame, ClientSocket client, UpstreamLinks links, TurnJournal journal) : ITurnSurface, IDisposable
{
    private Lease<SemaphoreSlim>? _place;
    private SocketAttempt? _attempt;

    public Turn Turn => _attempt?.Turn ?? slot.Value;

    public string Lane => slot.Value.Request.StreamId ?? LaneQueue.Default;

    public string? CurrentAccountId => client.CurrentAccountId;

    public Task<T> KeepAliveAsync<T>(Task<T> work) => client.KeepAliveAsync(Turn, work);

    public async Task<Placement> PlaceAsync(TurnDeadline deadline)
    {
        _place = await KeepAliveAsync(client.EnterAsync(deadline.Token));
        return Turn.Route.Anchor == Anchor.Local && !links.Holds(Turn.Request.PreviousResponseId!)
            ? new Placement(Signal: new RecoverySignal(SignalKind.AnchorGone))
            : default;
    }

    public async Task<RecoverySignal?> AttemptAsync(TurnDeadline deadline)
    {
        using var limits = deadline.BeginAttempt();
        var sent = Turn.BeginAttempt();
        UpstreamLink? link;
        RecoverySignal? signal;
        try
        {
            (link, signal) = await KeepAliveAsync(links.GetAsync(sent, Lane, limits.Token));
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
        _attempt = new SocketAttempt(sent, Lane, limits, client.Events);
        signal = await KeepAliveAsync(
            link.RunAsync(_attempt, RequestSplices.For(sent.Turn, frame.Memory)).GiveBackWhenBegunAsync(limits, sent.Turn, frame));
        link.RetireAfter(signal, sent.Turn.Route.Anchor);
        return signal;
    }

    /// <summary>Upstream has begun it by itself: its events come already.</summary>
    public void Follow(SocketAttempt attempt) => _attempt = attempt;

    public Task SurfaceAsync(RecoverySignal rejected) => client.SendAsync(ErrorEvents.WithStatus(rejected.Raw));

    public Task TellAsync(ApiError error) => client.SendAsync(Turn.Response.HasBegun
        ? ErrorEvents.FailedFrame(error, Turn.Response.Id, Turn.Response.LastSequence + 1, Turn.Request.StreamId)
        : ErrorEvents.ErrorFrame(error, Turn.Request.StreamId));

    public Task TellRunsOnAsync(ApiError error) => client.SendAsync(ErrorEvents.ErrorFrame(error, Turn.Request.StreamId));

    public void Dispose()
    {
        _place?.Dispose();
        if (Turn != slot.Value)
        {
            // It shares the slot of the one that was steered, and both have ended.
            journal.SlotOf(Turn).Dispose();
        }
        slot.Dispose();
        frame.Dispose();
    }
}
