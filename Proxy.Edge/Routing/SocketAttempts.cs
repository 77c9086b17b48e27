using System.Collections.Concurrent;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>
/// The turns on an upstream socket, one a lane, and beside it a response that upstream has begun by itself there. Entered by the lanes' tasks, removed by the socket's pump.
/// </summary>
/// <param name="hasLanes">Events bear the name of their lane; without it the socket is one lane, whoever's turn is on it.</param>
internal sealed class SocketAttempts(bool hasLanes)
{
    private readonly ConcurrentDictionary<string, SocketAttempt> _byLane = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, SocketAttempt> _successors = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Turn> _ended = new(StringComparer.Ordinal);
    private volatile bool _hasNamedLanes;
    private LocalIds? _over;

    public bool IsEmpty => _byLane.IsEmpty && _successors.IsEmpty;

    /// <summary>True if somebody waits for one of them.</summary>
    public bool AnyoneWaits => All.Any(attempt => !attempt.IsAbandoned);

    /// <summary>The lane of the turn that came last.</summary>
    public string LatestLane { get; private set; } = LaneQueue.Default;

    private IEnumerable<SocketAttempt> All => _successors.Values.Concat(_byLane.Values);

    public void Add(SocketAttempt attempt)
    {
        LatestLane = attempt.Lane;
        _hasNamedLanes |= attempt.Lane != LaneQueue.Default;
        // Steering that waits goes with what is asked for next: nothing goes on from there by itself any more. Should it seem to, it is a turn that was given up.
        _ended.TryRemove(KeyOf(attempt), out _);
        _byLane[KeyOf(attempt)] = attempt;
    }

    /// <summary>Adds the turn of a response that upstream has begun by itself: until it ends the events on its lane are its own.</summary>
    public void AddSuccessor(SocketAttempt attempt) => _successors[KeyOf(attempt)] = attempt;

    public void Remove(SocketAttempt attempt)
    {
        var entry = new KeyValuePair<string, SocketAttempt>(KeyOf(attempt), attempt);
        _byLane.TryRemove(entry);
        _successors.TryRemove(entry);
    }

    /// <summary>The attempt's response has ended well: upstream may still go on from it by itself.</summary>
    public void NoteEnded(SocketAttempt attempt) => _ended[KeyOf(attempt)] = attempt.Turn;

    /// <summary>A response is over without its terminal event: should that still come, it is not the next turn's.</summary>
    public void NoteOver(string? responseId)
    {
        if (responseId is not null)
        {
            LazyInitializer.EnsureInitialized(ref _over, static () => new LocalIds()).Add(responseId);
        }
    }

    /// <summary>True if the response runs here, or was the last to end on its lane: what a client says about it belongs here.</summary>
    public bool Knows(string responseId) => All.Any(attempt => attempt.ResponseId == responseId) || _ended.Values.Any(turn => turn.Response.Id == responseId);

    /// <summary>True if a turn of the lane is on the socket.</summary>
    public bool RunsOn(string lane) => All.Any(attempt => attempt.Lane == lane);

    /// <summary>True if nobody waits for any other.</summary>
    public bool IsAlone(SocketAttempt attempt) => All.All(other => other == attempt || other.IsAbandoned);

    /// <summary>
    /// The only turn on the socket, if it waits for its response to be created: an error that is about no response known here, and names no other lane, must be its own.
    /// </summary>
    public SocketAttempt? OnlyWaiting(ReadOnlySpan<byte> json, in ResponseFacts facts) =>
        All.Take(2).ToArray() is [{ IsAbandoned: false, ResponseId: null } only]
            && (!hasLanes || LaneIn(json) is not { } named || named == only.Lane)
            && (facts.Id is not { } id || (_over?.Contains(id) != true && _ended.Values.All(turn => turn.Response.Id != id)))
            ? only
            : null;

    /// <summary>The attempt on whose lane an event comes. Where there is only one lane the event need not be read.</summary>
    public SocketAttempt? OnLaneOf(ReadOnlySpan<byte> json)
    {
        var lane = LaneOf(json);
        return _successors.GetValueOrDefault(lane) ?? _byLane.GetValueOrDefault(lane);
    }

    /// <summary>The turn that has ended on the lane of a <c>response.created</c> which goes on from it without having been asked to.</summary>
    public (Turn Ended, string Lane)? Continued(ReadOnlySpan<byte> json, in ResponseFacts facts)
    {
        var lane = LaneOf(json);
        return facts.PreviousResponseId is { } previous && _ended.TryGetValue(lane, out var ended) && ended.Response.Id == previous && !_byLane.ContainsKey(lane)
            ? (ended, hasLanes ? lane : ended.Request.StreamId ?? LaneQueue.Default)
            : null;
    }

    /// <summary>The attempts whose response an event begins or ends, and whether others could be meant.</summary>
    public (IReadOnlyList<SocketAttempt> Attempts, bool IsGuess) Match(EventKind kind, ReadOnlySpan<byte> json, in ResponseFacts facts)
    {
        SocketAttempt[] attempts = [.. All];
        if (facts.Id is { } id && _over?.Contains(id) == true && !attempts.Any(attempt => attempt.ResponseId == id) && kind != EventKind.Created)
        {
            return ([], false);
        }
        var pending = attempts.Select(attempt => new PendingTurn(KeyOf(attempt), attempt.ResponseId, attempt.Turn.Request.PreviousResponseId)).ToArray();
        var matches = FrameMatcher.Match(pending, new LifecycleFrame(kind, hasLanes ? LaneIn(json) : null, facts.Id, facts.Error, facts.PreviousResponseId));
        return ([.. matches.Turns.Select(index => attempts[index])], matches.IsGuess);
    }

    /// <summary>The socket has ended, and with it all that was on it.</summary>
    public void EndAll(RecoverySignal signal)
    {
        foreach (var attempt in All.ToArray())
        {
            attempt.TryEnd(signal with { IsAlone = IsAlone(attempt) });
        }
        _byLane.Clear();
        _successors.Clear();
    }

    private string KeyOf(SocketAttempt attempt) => hasLanes ? attempt.Lane : LaneQueue.Default;

    private string LaneOf(ReadOnlySpan<byte> json) => hasLanes ? LaneIn(json) ?? LaneQueue.Default : LaneQueue.Default;

    private string? LaneIn(ReadOnlySpan<byte> json) => _hasNamedLanes ? EventScanner.ReadStreamId(json) : null;
}
