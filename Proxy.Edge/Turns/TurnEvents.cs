using System.Text;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// What happens to a turn with each event that is relayed, on every surface. At <c>response.created</c> its owner is published;
/// before its terminal event leaves, that is acknowledged and the turn is journaled.
/// </summary>
internal sealed class TurnEvents(TurnJournal journal, OwnerPublications publications, AccountMarks marks, IOptions<EdgeOptions> options, TimeProvider time)
{
    private readonly TimeSpan _publicationWait = TimeSpan.FromMilliseconds(options.Value.PublicationWaitMs);

    /// <summary>Takes note of an event that is about to be relayed. Allocates nothing for one that only passes.</summary>
    public void Relay(TurnAttempt attempt, EventHead head, ReadOnlySpan<byte> json)
    {
        attempt.Response.Observe(head, time.GetTimestamp());
        if (head.Kind == EventKind.Created)
        {
            Minted(attempt, ResponseFactsReader.Read(json));
        }
        else if (head.Kind == EventKind.Item)
        {
            attempt.Response.Observe(OutputIds.OfEvent(json));
        }
        else if (head.Kind == EventKind.Metadata)
        {
            GaveTurnState(attempt, EventScanner.ReadHeader(json, Encoding.ASCII.GetBytes(WireHeaders.TurnState)), attempt.Turn.Claim?.Session);
        }
    }

    /// <summary>A prewarm that was sent once more was created again: its owner is published, and the client is not told a second time.</summary>
    public void Recreated(TurnAttempt attempt, in ResponseFacts facts) => Minted(attempt, facts);

    /// <summary>Upstream gave the turn's client a turn state.</summary>
    /// <param name="session">Whose socket it came on.</param>
    public void GaveTurnState(TurnAttempt attempt, string? turnState, string? session = null)
    {
        attempt.Response.ObserveTurnState(turnState);
        GaveTurnState(attempt.Turn.Caller, attempt.Turn.Scope, attempt.Account, turnState, session);
    }

    /// <summary>Upstream gave the client a turn state: it must not go to another domain, and leads back to the session it came from.</summary>
    public void GaveTurnState(Caller caller, TurnScope scope, AdmittedAccount account, string? turnState, string? session = null)
    {
        if (!string.IsNullOrWhiteSpace(turnState))
        {
            publications.Publish(new OwnedId(OwnedKinds.TurnState, turnState.Trim()), new OwnerRecord(caller.KeyId, account.Id, account.Domain, scope.SessionId, Stored: true, null, session));
        }
    }

    /// <summary>
    /// To be awaited with a terminal event in hand, before it is sent on. False if it must not be: another edge has claimed the turn's session, and the
    /// turn has not ended yet.
    /// </summary>
    public async Task<bool> EndAsync(TurnAttempt attempt, EventHead head, ResponseFacts facts)
    {
        var turn = attempt.Turn;
        Minted(attempt, facts);
        PublishOutputs(attempt, StatusOf(head.Kind, facts));
        var completed = facts.Id is { } id && StatusOf(head.Kind, facts) is TurnStatus.Success or TurnStatus.Incomplete
            ? publications.CompleteAsync(attempt, id, _publicationWait)
            : Task.FromResult(true);
        if (!await publications.WaitAsync(turn, _publicationWait) || !await completed)
        {
            return false;
        }
        attempt.Response.Observe(head, time.GetTimestamp());
        marks.NoteServed(attempt.Account.Id);
        journal.End(turn, StatusOf(head.Kind, facts), StatusCodes.Status200OK);
        return true;
    }

    /// <summary>To be awaited with a whole JSON answer in hand, before it is sent on.</summary>
    public async Task EndJsonAsync(TurnAttempt attempt, int httpStatus, ResponseFacts facts)
    {
        var status = httpStatus >= 300 ? TurnStatus.Failed : StatusOf(EventKind.Other, facts);
        attempt.Response.Observe(default(EventHead), time.GetTimestamp());
        Minted(attempt, httpStatus < 300 ? facts : facts with { Id = null });
        PublishOutputs(attempt, status);
        marks.Note(attempt.Turn, facts.Error);
        if (httpStatus < 300)
        {
            marks.NoteServed(attempt.Account.Id);
        }
        await publications.WaitAsync(attempt.Turn, _publicationWait);
        journal.End(attempt.Turn, status, httpStatus);
    }

    /// <summary>To be awaited with an answer in hand that names files which upstream has made for its caller.</summary>
    public async Task RevealAsync(AcceptedRequest request, AdmittedAccount account, IReadOnlyList<OwnedId> files)
    {
        var owner = new OwnerRecord(request.Caller.KeyId, account.Id, account.Domain, request.Scope.SessionId, Stored: true, null);
        foreach (var file in files)
        {
            await publications.PublishAsync(file, owner, _publicationWait);
        }
    }

    /// <summary>Ends a turn by upstream's own error, which the client gets as it came.</summary>
    public async Task SurfaceAsync(Turn turn, UpstreamError? error, int httpStatus)
    {
        await publications.WaitAsync(turn, _publicationWait);
        journal.End(turn, turn.Response.WasSent ? TurnStatus.Failed : TurnStatus.Refused, httpStatus, error?.Code ?? error?.Reason);
    }

    /// <summary>Ends a turn by the error event that its client has read already, unless upstream has rejected it once more; false where there was none.</summary>
    public async Task<bool> TryEndPassedAsync(Turn turn, RecoverySignal signal)
    {
        if (turn.Response.Passed is not { Error: var passed } || signal.Kind == SignalKind.Rejected)
        {
            return false;
        }
        await SurfaceAsync(turn, passed, passed.Status ?? StatusCodes.Status200OK);
        return true;
    }

    /// <summary>Ends a turn by an error of ours, or because the client left.</summary>
    /// <param name="signal">What happened to it; null where it did not come that far.</param>
    public async Task EndAsync(Turn turn, ApiError error, RecoverySignal? signal = null)
    {
        await publications.WaitAsync(turn, _publicationWait);
        var status = error == Errors.ClientLeft ? TurnStatus.Cancelled
            : !turn.Response.WasSent ? TurnStatus.Refused
            : signal?.Kind is SignalKind.Rejected or SignalKind.NoResponse ? TurnStatus.Failed
            : TurnStatus.Cut;
        // The API has no code for what is not there, but the log has.
        journal.End(turn, status, error.Status, error.Code ?? "not_found");
    }

    private void Minted(TurnAttempt attempt, in ResponseFacts facts)
    {
        attempt.Response.Observe(facts);
        if (facts.Id is { } id && attempt.Response.PublishedId != id)
        {
            attempt.Response.Publish(id, publications.Begin(attempt, id));
        }
    }

    // Items are whole at the end only, and of a response that failed nothing can be named.
    private void PublishOutputs(TurnAttempt attempt, string status)
    {
        if (status is not (TurnStatus.Success or TurnStatus.Incomplete))
        {
            return;
        }
        var (turn, account) = (attempt.Turn, attempt.Account);
        if (attempt.Response is { PublishedId: { } id, HasUnpublishedOutputs: true })
        {
            if (turn.Request.Store)
            {
                attempt.Response.Publish(id, publications.Begin(attempt, id));
            }
            else
            {
                publications.PublishOutputs(attempt, id);
            }
        }
        foreach (var prompt in turn.Request.NamedIds.Where(named => named.Kind == OwnedKinds.Prompt))
        {
            publications.Publish(prompt, new OwnerRecord(turn.Caller.KeyId, account.Id, account.Domain, turn.Scope.SessionId, Stored: true, null));
        }
    }

    private static string StatusOf(EventKind kind, in ResponseFacts facts) => kind switch
    {
        EventKind.Completed => TurnStatus.Success,
        EventKind.Incomplete => TurnStatus.Incomplete,
        EventKind.Failed or EventKind.Error => TurnStatus.Failed,
        _ => facts.Status switch
        {
            "incomplete" => TurnStatus.Incomplete,
            "failed" => TurnStatus.Failed,
            "cancelled" => TurnStatus.Cancelled,
            // Also queued and in_progress: upstream has accepted it and runs it in the background.
            _ => TurnStatus.Success,
        },
    };
}
