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
internal sealed class TurnEvents(TurnJournal journal, OwnerPublications publications, QuotaMarks marks, IOptions<EdgeOptions> options, TimeProvider time)
{
    private readonly TimeSpan _publicationWait = TimeSpan.FromMilliseconds(options.Value.PublicationWaitMs);

    /// <summary>Takes note of an event that is about to be relayed. Allocates nothing for one that only passes.</summary>
    public void Relay(Turn turn, EventHead head, ReadOnlySpan<byte> json)
    {
        turn.Observe(head, time.GetTimestamp());
        if (head.Kind == EventKind.Created)
        {
            Minted(turn, ResponseFactsReader.Read(json));
        }
        else if (head.Kind == EventKind.Item)
        {
            turn.Observe(OutputIds.OfEvent(json));
        }
        else if (head.Kind == EventKind.Metadata)
        {
            turn.GivenTurnState = EventScanner.ReadHeader(json, Encoding.ASCII.GetBytes(WireHeaders.TurnState)) ?? turn.GivenTurnState;
            GaveTurnState(turn.Caller, turn.Scope, turn.Account!, turn.GivenTurnState, turn.Claim?.Session);
        }
    }

    /// <summary>A prewarm that was sent once more was created again: its owner is published, and the client is not told a second time.</summary>
    public void Recreated(Turn turn, in ResponseFacts facts) => Minted(turn, facts);

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
    public async Task<bool> EndAsync(Turn turn, EventHead head, ResponseFacts facts)
    {
        Minted(turn, facts);
        PublishOutputs(turn, StatusOf(head.Kind, facts));
        var completed = facts.Id is { } id && StatusOf(head.Kind, facts) is TurnStatus.Success or TurnStatus.Incomplete
            ? publications.CompleteAsync(turn, id, _publicationWait)
            : Task.FromResult(true);
        if (!await publications.WaitAsync(turn, _publicationWait) || !await completed)
        {
            return false;
        }
        turn.Observe(head, time.GetTimestamp());
        marks.NoteServed(turn);
        journal.End(turn, StatusOf(head.Kind, facts), StatusCodes.Status200OK);
        return true;
    }

    /// <summary>To be awaited with a whole JSON answer in hand, before it is sent on.</summary>
    public async Task EndJsonAsync(Turn turn, int httpStatus, ResponseFacts facts)
    {
        turn.Observe(default(EventHead), time.GetTimestamp());
        Minted(turn, httpStatus < 300 ? facts : facts with { Id = null });
        PublishOutputs(turn, httpStatus >= 300 ? TurnStatus.Failed : StatusOf(EventKind.Other, facts));
        marks.Note(turn, facts.Error);
        if (httpStatus < 300)
        {
            marks.NoteServed(turn);
        }
        await publications.WaitAsync(turn, _publicationWait);
        journal.End(turn, httpStatus >= 300 ? TurnStatus.Failed : StatusOf(EventKind.Other, facts), httpStatus);
    }

    /// <summary>To be awaited with an answer in hand that names files which upstream has made for its caller.</summary>
    public async Task RevealAsync(Turn turn, IReadOnlyList<OwnedId> files)
    {
        var owner = new OwnerRecord(turn.Caller.KeyId, turn.Account!.Id, turn.Account.Domain, turn.Scope.SessionId, Stored: true, null);
        foreach (var file in files)
        {
            await publications.PublishAsync(file, owner, _publicationWait);
        }
    }

    /// <summary>Ends a turn by upstream's own error, which the client gets as it came.</summary>
    public async Task SurfaceAsync(Turn turn, UpstreamError? error, int httpStatus)
    {
        turn.Observe(new ResponseFacts(null, null, null, error));
        await publications.WaitAsync(turn, _publicationWait);
        journal.End(turn, turn.WasSent ? TurnStatus.Failed : TurnStatus.Refused, httpStatus);
    }

    /// <summary>Ends a turn by the error event that its client has read already, unless upstream has rejected it once more; false where there was none.</summary>
    public async Task<bool> TryEndPassedAsync(Turn turn, RecoverySignal signal)
    {
        if (turn.PassedError is not { } passed || signal.Kind == SignalKind.Rejected)
        {
            return false;
        }
        await SurfaceAsync(turn, passed, passed.Status ?? StatusCodes.Status200OK);
        return true;
    }

    /// <summary>Ends a turn by an error of ours, or because the client left.</summary>
    public async Task EndAsync(Turn turn, ApiError error)
    {
        turn.Observe(error);
        await publications.WaitAsync(turn, _publicationWait);
        var status = ReferenceEquals(error, Errors.ClientLeft) ? TurnStatus.Cancelled
            : !turn.WasSent ? TurnStatus.Refused
            : turn.WasRejected ? TurnStatus.Failed
            : TurnStatus.Cut;
        journal.End(turn, status, error.Status);
    }

    private void Minted(Turn turn, in ResponseFacts facts)
    {
        turn.Observe(facts);
        if (facts.Id is { } id && turn.PublishedId != id)
        {
            turn.Publish(id, publications.Begin(turn, id));
        }
    }

    // Items are whole at the end only, and of a response that failed nothing can be named.
    private void PublishOutputs(Turn turn, string status)
    {
        if (status is not (TurnStatus.Success or TurnStatus.Incomplete) || turn.Account is not { } account)
        {
            return;
        }
        if (turn.PublishedId is { } id && turn.HasUnpublishedOutputs)
        {
            if (turn.Request.Store)
            {
                turn.Publish(id, publications.Begin(turn, id));
            }
            else
            {
                publications.PublishOutputs(turn, id);
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
