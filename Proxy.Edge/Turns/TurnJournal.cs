using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Spool;

namespace Proxy.Edge.Turns;

/// <summary>Begins and ends turns: each accepted turn gets exactly one log row, whatever happens to it.</summary>
internal sealed class TurnJournal(TurnSpool spool, LeaseKeeper leases, TurnTelemetry telemetry, IOptions<EdgeOptions> options, TimeProvider time)
{
    // Upstream tells usage at the end only. A token is about four bytes of request, and about one delta of answer.
    private const int BytesPerToken = 4;

    /// <summary>True when no turn can be logged and so none may begin.</summary>
    public bool IsFull => spool.IsFull;

    /// <summary>Accepts a turn that another edge has accepted already, and could not serve: it stays the same turn.</summary>
    public Turn Accept(Guid id, DateTimeOffset acceptedAt, TurnRequest request, Caller caller, TurnScope scope, string surface, int requestBytes, bool isCodex)
    {
        var turn = new Turn(new AcceptedRequest(id, acceptedAt, time.GetTimestamp(), request, caller, scope, surface) { Bytes = requestBytes, IsCodex = isCodex });
        // Another edge has told it.
        turn.PinId();
        return turn;
    }

    /// <summary>Accepts a turn.</summary>
    public Turn Accept(TurnRequest request, Caller caller, TurnScope scope, string surface, int requestBytes, bool isCodex) =>
        new(AcceptRequest(request, caller, scope, surface) with { Bytes = requestBytes, IsCodex = isCodex });

    /// <summary>Accepts a request; one that only passes is no turn.</summary>
    public AcceptedRequest AcceptRequest(TurnRequest request, Caller caller, TurnScope scope, string surface)
    {
        var now = Now;
        return new AcceptedRequest(Guid.CreateVersion7(now), now, time.GetTimestamp(), request, caller, scope, surface);
    }

    /// <summary>
    /// The turn that upstream begins by itself when a response is steered: it goes on where the other was, under a row of its own. It shares the
    /// other's slot, so that one is released with this one.
    /// </summary>
    public TurnAttempt BeginSuccessor(Turn steered)
    {
        var request = steered.Request with { PreviousResponseId = steered.Response.Id };
        var successor = new Turn(AcceptRequest(request, steered.Caller, steered.Scope, steered.Surface) with { IsCodex = steered.Accepted.IsCodex, IsSuccessor = true });
        successor.Resolve(new Resolution(steered.Route));
        successor.Admit(new Admitted(steered.Admitted!.Account));
        try
        {
            Begin(successor);
        }
        catch (IOException)
        {
            // It runs already; its end will be kept if that can be.
        }
        var attempt = successor.BeginAttempt();
        attempt.Response.NoteSent();
        return attempt;
    }

    /// <summary>The turn has an account and is about to be sent: from here on it is logged even if this process dies.</summary>
    /// <exception cref="IOException">It cannot be kept, so it must not be sent.</exception>
    public void Begin(Turn turn) => spool.Begin(RowOf(turn, TurnStatus.Cut, httpStatus: 0, errorCode: null));

    /// <summary>Ends the turn, once: later calls change nothing. To be called before the client sees the end.</summary>
    /// <param name="errorCode">What was wrong; null for what upstream has said.</param>
    public void End(Turn turn, string status, int httpStatus, string? errorCode = null)
    {
        if (!turn.TryEnd())
        {
            return;
        }
        errorCode ??= turn.Response.ErrorCode;
        var row = RowOf(turn, status, httpStatus, errorCode);
        // What never began must not fill what is full already.
        if (turn.Account is not null || !spool.IsFull)
        {
            spool.End(row);
        }
        telemetry.End(turn, status, errorCode, TimeSpan.FromMilliseconds(row.DurationMs), row.FirstEventMs is { } first ? TimeSpan.FromMilliseconds(first) : null,
            row.TotalTokens is null ? null : new TokenUsage(row.InputTokens ?? 0, row.CachedInputTokens ?? 0, row.OutputTokens ?? 0, row.ReasoningTokens ?? 0, row.TotalTokens.Value));
    }

    /// <summary>The turn with its slot, which is given back when upstream is done with it: after <see cref="End"/>.</summary>
    public Lease<Turn> Hold(Turn turn) => new(turn, Release);

    private void Release(Turn turn)
    {
        leases.Drop(turn.Id);
        spool.Wake();
    }

    // Postgres keeps microseconds; the time is half of the row's key and must come back as it was.
    private DateTimeOffset Now
    {
        get
        {
            var now = time.GetUtcNow();
            return new DateTimeOffset(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
        }
    }

    private RequestLogRow RowOf(Turn turn, string status, int httpStatus, string? errorCode)
    {
        var (usage, isEstimated) = UsageOf(turn, status);
        return new RequestLogRow(
            turn.Id, turn.Accepted.At, turn.Response.Id, turn.Accepted.MintedKind, turn.Caller.KeyId, turn.Scope.SessionId, turn.Account?.Id, turn.Account?.Domain,
            turn.Surface, turn.Request.Model, status, httpStatus, errorCode, turn.Request.Store,
            usage?.Input, usage?.CachedInput, usage?.Output, usage?.Reasoning, usage?.Total, isEstimated,
            turn.Response.FirstEventTimestamp is { } first ? time.GetElapsedTime(turn.Accepted.Timestamp, first).TotalMilliseconds : null,
            time.GetElapsedTime(turn.Accepted.Timestamp).TotalMilliseconds,
            options.Value.Id, turn.Activity?.Id, turn.Continuity, turn.Session, ItemsOf(turn)).Capped();
    }

    private static string? ItemsOf(Turn turn) => turn.Response.Outputs.Any(output => output.Kind == OwnedKinds.Item)
        ? string.Join(' ', turn.Response.Outputs.Where(output => output.Kind == OwnedKinds.Item).Select(output => output.Id))
        : null;

    private static (TokenUsage? Usage, bool IsEstimated) UsageOf(Turn turn, string status)
    {
        if (turn.Response.Usage is not null || !turn.Response.HasBegun || status is TurnStatus.Success or TurnStatus.Incomplete or TurnStatus.Failed)
        {
            return (turn.Response.Usage, false);
        }
        var input = turn.Accepted.Bytes / BytesPerToken;
        return (new TokenUsage(input, 0, turn.Response.Deltas, 0, input + turn.Response.Deltas), true);
    }
}
