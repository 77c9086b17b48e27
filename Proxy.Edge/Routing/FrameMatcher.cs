using Proxy.Edge.Protocol;

namespace Proxy.Edge.Routing;

/// <summary>A turn that waits for its response, or for its end, on an upstream socket.</summary>
/// <param name="ResponseId">Null before <c>response.created</c>.</param>
internal readonly record struct PendingTurn(string Lane, string? ResponseId, string? Anchor);

/// <summary>An event that begins or ends a response.</summary>
/// <param name="Lane">The name it carries; null if it carries none, or the socket has no lanes.</param>
/// <param name="Anchor">The response that the one it begins continues; null where that is not told, or there is none.</param>
internal readonly record struct LifecycleFrame(EventKind Kind, string? Lane, string? ResponseId, UpstreamError? Error, string? Anchor = null);

/// <summary>Whose response an event begins or ends.</summary>
/// <param name="Turns">By their place in the list; several for an error that says of an anchor of theirs that it is dead.</param>
/// <param name="IsGuess">Nothing in the event names them, and others could be meant.</param>
internal readonly record struct MatchedTurns(IReadOnlyList<int> Turns, bool IsGuess = false);

/// <summary>
/// Tells whose response an event begins or ends: by response id, by lane, by the anchor that an error quotes, or because only one turn can be
/// meant. An event that may be somebody else's is nobody's: a foreign end never ends a turn.
/// </summary>
internal static class FrameMatcher
{
    /// <summary>The turns meant.</summary>
    public static MatchedTurns Match(IReadOnlyList<PendingTurn> pending, LifecycleFrame frame)
    {
        if (frame.ResponseId is { } id && IndexOf(pending, turn => turn.ResponseId == id) is { } known)
        {
            return new([known]);
        }
        // What names its lane needs no guess; and without lanes there is one turn at most.
        var onLane = IndexOf(pending, turn => turn.Lane == (frame.Lane ?? LaneQueue.Default));
        return frame switch
        {
            { Kind: EventKind.Created } => new(Created(pending, frame)),
            { Kind: EventKind.Failed or EventKind.Error } => Failed(pending, frame, onLane),
            { ResponseId: null } => new(One(onLane)),
            _ => new([]),
        };
    }

    // One that continues something else was not asked for by this turn.
    private static IReadOnlyList<int> Created(IReadOnlyList<PendingTurn> pending, LifecycleFrame frame) => One(IndexOf(pending, turn =>
        turn.Lane == (frame.Lane ?? LaneQueue.Default) && turn.ResponseId is null && (frame.Anchor is null || frame.Anchor == turn.Anchor)));

    private static MatchedTurns Failed(IReadOnlyList<PendingTurn> pending, LifecycleFrame frame, int? onLane)
    {
        var isNotFound = frame.Error is { Kind: UpstreamErrorKind.PreviousResponseNotFound };
        if (frame.Lane is not null)
        {
            // With an id that its turn does not have it is foreign, unless it says that the turn's own anchor is dead.
            return new(onLane is { } index
                && (frame.ResponseId is null || pending[index].ResponseId is null || (isNotFound && Names(frame.Error!, pending[index].Anchor))) ? [index] : []);
        }
        if (isNotFound)
        {
            return FollowUps(pending, frame.Error!);
        }
        if (frame.ResponseId is not null)
        {
            return Guess(pending, OnlyOne(pending, turn => turn.ResponseId is null));
        }
        return onLane is not null ? new(One(onLane)) : Guess(pending, pending.Count == 1 ? [0] : OnlyOne(pending, turn => turn.ResponseId is null));
    }

    private static MatchedTurns FollowUps(IReadOnlyList<PendingTurn> pending, UpstreamError error)
    {
        var followUps = All(pending, turn => turn.Anchor is not null);
        if (followUps.Count == 0)
        {
            // A turn that named no anchor and is told so all the same: the error is its own to read, if it is the only one there.
            return NamesAnother(error) ? new([]) : Guess(pending, OnlyOne(pending, _ => true));
        }
        if (error.QuotedAnchor is { } quoted)
        {
            // Where the quoted anchor is nobody's, the error is nobody's.
            return new([.. followUps.Where(index => pending[index].Anchor == quoted)]);
        }
        int[] mentioned = [.. followUps.Where(index => error.Mentions(pending[index].Anchor!))];
        if (mentioned.Length > 0 || NamesAnother(error))
        {
            return new(mentioned);
        }
        int[] waiting = [.. followUps.Where(index => pending[index].ResponseId is null)];
        if (waiting.Length > 0)
        {
            return Guess(pending, waiting.Select(index => pending[index].Anchor).Distinct().Count() == 1 ? waiting : []);
        }
        // What names no lane is rather the turn's that waits where there is none to name than one's that has begun on a lane of its own.
        return Guess(pending, IndexOf(pending, turn => turn.Lane == LaneQueue.Default && turn.ResponseId is null) is { } unnamed ? [unnamed]
            : followUps.Count == 1 ? followUps
            : []);
    }

    private static bool Names(UpstreamError error, string? anchor) =>
        anchor is not null && (error.QuotedAnchor is { } quoted ? quoted == anchor : error.Mentions(anchor) || !NamesAnother(error));

    // "Cannot continue: upstream lost resp_7": an id, in whatever words.
    private static bool NamesAnother(UpstreamError error) => error.QuotedAnchor is not null || error.Message?.Contains("resp_", StringComparison.Ordinal) == true;

    // Of one turn alone, where there are no lanes to name, there is nothing to guess.
    private static MatchedTurns Guess(IReadOnlyList<PendingTurn> pending, IReadOnlyList<int> turns) =>
        new(turns, turns.Count > 0 && (pending.Count > 1 || pending[turns[0]].Lane != LaneQueue.Default));

    private static IReadOnlyList<int> One(int? index) => index is { } one ? [one] : [];

    private static IReadOnlyList<int> OnlyOne(IReadOnlyList<PendingTurn> pending, Predicate<PendingTurn> condition) => All(pending, condition) is [var only] ? [only] : [];

    private static List<int> All(IReadOnlyList<PendingTurn> pending, Predicate<PendingTurn> condition)
    {
        var found = new List<int>();
        for (var index = 0; index < pending.Count; index++)
        {
            if (condition(pending[index]))
            {
                found.Add(index);
            }
        }
        return found;
    }

    private static int? IndexOf(IReadOnlyList<PendingTurn> pending, Predicate<PendingTurn> condition) => All(pending, condition) is [var first, ..] ? first : null;
}
