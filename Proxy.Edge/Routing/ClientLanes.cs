using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>The lanes of one client's socket: the default one and at most 32 named ones. Used by the one task that receives frames.</summary>
internal sealed class ClientLanes(Func<SocketTurn, Task> run)
{
    private const int MaxNamed = 32;

    private readonly Dictionary<string, (LaneQueue Lane, Task Running)> _lanes = new(StringComparer.Ordinal);

    /// <summary>The lane a turn belongs to, begun if need be; or why it cannot be.</summary>
    public (LaneQueue? Lane, ApiError? Error) For(string? streamId)
    {
        if (streamId is not null && !StreamIds.IsValid(streamId))
        {
            return (null, Errors.InvalidStreamId);
        }
        var name = streamId ?? LaneQueue.Default;
        if (_lanes.TryGetValue(name, out var known))
        {
            return (known.Lane, null);
        }
        if (streamId is not null && _lanes.Keys.Count(other => other != LaneQueue.Default) >= MaxNamed)
        {
            return (null, Errors.TooManyLanes(MaxNamed));
        }
        var lane = new LaneQueue(run);
        _lanes.Add(name, (lane, lane.RunAsync()));
        return (lane, null);
    }

    /// <summary>No more turns come; ends when those that are queued have ended.</summary>
    public Task CompleteAsync()
    {
        foreach (var (lane, _) in _lanes.Values)
        {
            lane.Complete();
        }
        return Task.WhenAll(_lanes.Values.Select(lane => lane.Running));
    }
}
