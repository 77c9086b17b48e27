using System.Collections.Concurrent;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns.Recovery;

namespace Proxy.Edge.Routing;

/// <summary>The turns on an upstream socket, one a lane. Entered by the lanes' tasks, removed by the socket's pump.</summary>
/// <param name="onlyLane">The only lane the socket carries, whose name its events do not bear; null for one with lanes of its own.</param>
internal sealed class SocketAttempts(string? onlyLane)
{
    private readonly ConcurrentDictionary<string, SocketAttempt> _byLane = new(StringComparer.Ordinal);
    private volatile bool _hasNamedLanes;
    private LocalIds? _over;

    public bool IsEmpty => _byLane.IsEmpty;

    /// <summary>True if somebody waits for one of them.</summary>
    public bool AnyoneWaits => _byLane.Values.Any(attempt => !attempt.IsAbandoned);

    public void Add(SocketAttempt attempt)
    {
        _hasNamedLanes |= attempt.Lane != Lane.Default;
        _byLane[attempt.Lane] = attempt;
    }

    public void Remove(SocketAttempt attempt) => _byLane.TryRemove(new KeyValuePair<string, SocketAttempt>(attempt.Lane, attempt));

    /// <summary>A response is over without its terminal event: should that still come, it is not the next turn's.</summary>
    public void Forget(string? responseId)
    {
        if (responseId is not null)
        {
            LazyInitializer.EnsureInitialized(ref _over, static () => new LocalIds()).Add(responseId);
        }
    }

    /// <summary>True if nobody waits for any other.</summary>
    public bool IsAlone(SocketAttempt attempt) => _byLane.Values.All(other => ReferenceEquals(other, attempt) || other.IsAbandoned);

    /// <summary>The attempt on whose lane an event comes. Where there is only one lane the event need not be read.</summary>
    public SocketAttempt? OnLaneOf(ReadOnlySpan<byte> json) => _byLane.GetValueOrDefault(onlyLane ?? LaneIn(json) ?? Lane.Default);

    /// <summary>The attempts whose response an event begins or ends.</summary>
    public IReadOnlyList<SocketAttempt> Match(EventKind kind, ReadOnlySpan<byte> json, in ResponseFacts facts)
    {
        SocketAttempt[] attempts = [.. _byLane.Values];
        if (facts.Id is { } id && _over?.Contains(id) == true && !attempts.Any(attempt => attempt.ResponseId == id) && kind != EventKind.Created)
        {
            return [];
        }
        var pending = attempts.Select(attempt => new PendingTurn(onlyLane is null ? attempt.Lane : Lane.Default, attempt.ResponseId, attempt.Turn.Request.PreviousResponseId)).ToArray();
        var matches = FrameMatcher.Match(pending, new LifecycleFrame(kind, onlyLane is null ? LaneIn(json) : null, facts.Id, facts.Error));
        return [.. matches.Select(index => attempts[index])];
    }

    /// <summary>The socket has ended, and with it all that was on it.</summary>
    public void EndAll(RecoverySignal signal)
    {
        foreach (var attempt in _byLane.Values)
        {
            attempt.TryEnd(signal with { IsAlone = IsAlone(attempt) });
        }
        _byLane.Clear();
    }

    private string? LaneIn(ReadOnlySpan<byte> json) => _hasNamedLanes ? EventScanner.ReadStreamId(json) : null;
}
