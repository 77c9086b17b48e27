using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// What happens to a turn with each event that upstream sends, on every surface. At <c>response.created</c> its owner is published;
/// before its terminal event leaves, that is acknowledged and the turn is journaled.
/// </summary>
internal sealed class TurnEvents(TurnJournal journal, OwnerPublications publications, QuotaMarks marks, IOptions<EdgeOptions> options, TimeProvider time)
{
    private readonly TimeSpan _publicationWait = TimeSpan.FromMilliseconds(options.Value.PublicationWaitMs);

    /// <summary>Takes note of an event and returns its head. Allocates nothing for an event that only passes.</summary>
    public EventHead Observe(Turn turn, ReadOnlySpan<byte> json)
    {
        var head = EventScanner.ReadHead(json);
        turn.Observe(head, time.GetTimestamp());
        if (head.Kind == EventKind.Created)
        {
            Minted(turn, EventScanner.ReadFacts(json));
        }
        return head;
    }

    /// <summary>To be awaited with a terminal event in hand, before it is sent on.</summary>
    public async Task EndAsync(Turn turn, EventKind kind, ResponseFacts facts)
    {
        Minted(turn, facts);
        marks.Note(turn, facts);
        await publications.WaitAsync(turn, _publicationWait);
        journal.End(turn, StatusOf(kind, facts), StatusCodes.Status200OK);
    }

    /// <summary>To be awaited with a whole JSON answer in hand, before it is sent on.</summary>
    public async Task EndJsonAsync(Turn turn, int httpStatus, ResponseFacts facts, TimeSpan? retryAfter = null)
    {
        turn.Observe(default(EventHead), time.GetTimestamp());
        Minted(turn, httpStatus < 300 ? facts : facts with { Id = null });
        marks.Note(turn, facts, retryAfter);
        await publications.WaitAsync(turn, _publicationWait);
        journal.End(turn, httpStatus >= 300 ? TurnStatus.Failed : StatusOf(EventKind.Other, facts), httpStatus);
    }

    /// <summary>Takes note of what upstream said instead of opening a socket.</summary>
    public void Refused(Turn turn, in ResponseFacts facts) => marks.Note(turn, facts);

    /// <summary>Ends a turn by an error of ours, or because the client left.</summary>
    public async Task EndAsync(Turn turn, ApiError error, bool wasSent)
    {
        turn.Observe(error);
        await publications.WaitAsync(turn, _publicationWait);
        var status = ReferenceEquals(error, Errors.ClientLeft) ? TurnStatus.Cancelled : wasSent ? TurnStatus.Cut : TurnStatus.Refused;
        journal.End(turn, status, error.Status);
    }

    private void Minted(Turn turn, in ResponseFacts facts)
    {
        turn.Observe(facts);
        if (turn.Publication is null && facts.Id is { } id)
        {
            turn.Publication = publications.Begin(turn, id);
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
