using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
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
        var turn = new Turn(id, acceptedAt, time.GetTimestamp(), request, caller, scope, surface) { RequestBytes = requestBytes, IsCodex = isCodex };
        // Another edge has told it.
        turn.PinId();
        return turn;
    }

    /// <summary>Accepts a turn.</summary>
    public Turn Accept(TurnRequest request, Caller caller, TurnScope scope, string surface, int requestBytes, string mintedKind = OwnedKinds.Response, bool isCodex = false)
    {
        var now = Now;
        return new Turn(Guid.CreateVersion7(now), now, time.GetTimestamp(), request, caller, scope, surface)
        {
            RequestBytes = requestBytes,
            MintedKind = mintedKind,
            IsCodex = isCodex,
        };
    }

    /// <summary>
    /// The turn that upstream begins by itself when a response is steered: it goes on where the other was, under a row of its own. It shares the
    /// other's slot, so that one is released with this one.
    /// </summary>
    public Turn BeginSuccessor(Turn steered)
    {
        var now = Now;
        var successor = new Turn(Guid.CreateVersion7(now), now, time.GetTimestamp(), steered.Request with { PreviousResponseId = steered.ResponseId }, steered.Caller, steered.Scope, steered.Surface)
        {
            IsCodex = steered.IsCodex,
            IsSuccessor = true,
            Account = steered.Account,
            Route = steered.Route,
        };
        successor.Send();
        try
        {
            Begin(successor);
        }
        catch (IOException)
        {
            // It runs already; its end will be kept if that can be.
        }
        return successor;
    }

    /// <summary>The turn has an account and is about to be sent: from here on it is logged even if this process dies.</summary>
    /// <exception cref="IOException">It cannot be kept, so it must not be sent.</exception>
    public void Begin(Turn turn) => spool.Begin(RowOf(turn, TurnStatus.Cut, httpStatus: 0));

    /// <summary>Ends the turn, once: later calls change nothing. To be called before the client sees the end.</summary>
    public void End(Turn turn, string status, int httpStatus)
    {
        if (!turn.TryEnd())
        {
            return;
        }
        var row = RowOf(turn, status, httpStatus);
        // What never began must not fill what is full already.
        if (turn.Account is not null || !spool.IsFull)
        {
            spool.End(row);
        }
        telemetry.End(turn, status, TimeSpan.FromMilliseconds(row.DurationMs), row.FirstEventMs is { } first ? TimeSpan.FromMilliseconds(first) : null,
            row.TotalTokens is null ? null : new TokenUsage(row.InputTokens ?? 0, row.CachedInputTokens ?? 0, row.OutputTokens ?? 0, row.ReasoningTokens ?? 0, row.TotalTokens.Value));
    }

    /// <summary>Gives the slot back: upstream is done with the turn. To be called on every path, after <see cref="End"/>.</summary>
    public void Release(Turn turn)
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

    private RequestLogRow RowOf(Turn turn, string status, int httpStatus)
    {
        var (usage, isEstimated) = UsageOf(turn, status);
        return new RequestLogRow(
            turn.Id, turn.AcceptedAt, turn.ResponseId, turn.MintedKind, turn.Caller.KeyId, turn.Scope.SessionId, turn.Account?.Id, turn.Account?.Domain,
            turn.Surface, turn.Request.Model, status, httpStatus, turn.ErrorCode, turn.Request.Store,
            usage?.Input, usage?.CachedInput, usage?.Output, usage?.Reasoning, usage?.Total, isEstimated,
            turn.FirstEventTimestamp is { } first ? time.GetElapsedTime(turn.AcceptedTimestamp, first).TotalMilliseconds : null,
            time.GetElapsedTime(turn.AcceptedTimestamp).TotalMilliseconds,
            options.Value.Id, turn.Activity?.Id, turn.Continuity, turn.Session, ItemsOf(turn)).Capped();
    }

    private static string? ItemsOf(Turn turn) => turn.Outputs.Any(output => output.Kind == OwnedKinds.Item)
        ? string.Join(' ', turn.Outputs.Where(output => output.Kind == OwnedKinds.Item).Select(output => output.Id))
        : null;

    private static (TokenUsage? Usage, bool IsEstimated) UsageOf(Turn turn, string status)
    {
        if (turn.Usage is not null || !turn.HasBegun || status is TurnStatus.Success or TurnStatus.Incomplete or TurnStatus.Failed)
        {
            return (turn.Usage, false);
        }
        var input = turn.RequestBytes / BytesPerToken;
        return (new TokenUsage(input, 0, turn.Deltas, 0, input + turn.Deltas), true);
    }
}
