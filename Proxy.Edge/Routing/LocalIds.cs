using System.Collections.Concurrent;

namespace Proxy.Edge.Routing;

/// <summary>Ids of responses that upstream keeps for as long as a socket lives; the latest of them.</summary>
internal sealed class LocalIds
{
    private const int Capacity = 1000;

    private readonly ConcurrentDictionary<string, bool> _ids = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _order = new();

    public bool IsEmpty => _ids.IsEmpty;

    public bool Contains(string id) => _ids.ContainsKey(id);

    public void Add(string id)
    {
        if (_ids.TryAdd(id, true))
        {
            _order.Enqueue(id);
        }
        while (_order.Count > Capacity && _order.TryDequeue(out var oldest))
        {
            _ids.TryRemove(oldest, out _);
        }
    }
}
