using System.Diagnostics.CodeAnalysis;

namespace Simulator.Accounts;

/// <summary>Objects by id in order of arrival; the oldest go when it is full, so that a long benchmark does not fill the memory.</summary>
internal sealed class Shelf<T>(int capacity) where T : class
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, T> _byId = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();

    public IReadOnlyList<T> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _order.Select(id => _byId.GetValueOrDefault(id)).OfType<T>()];
            }
        }
    }

    public bool TryGet(string id, [NotNullWhen(true)] out T? found)
    {
        lock (_lock)
        {
            return _byId.TryGetValue(id, out found);
        }
    }

    public void Put(string id, T item)
    {
        lock (_lock)
        {
            if (!_byId.ContainsKey(id))
            {
                _order.Enqueue(id);
            }

            _byId[id] = item;
            if (_order.Count > capacity)
            {
                _byId.Remove(_order.Dequeue());
            }
        }
    }

    public bool Remove(string id)
    {
        lock (_lock)
        {
            return _byId.Remove(id);
        }
    }
}
