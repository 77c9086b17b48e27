namespace Simulator.Recording;

/// <summary>The last exchanges, bounded in number and in the size of their bodies.</summary>
public sealed class Record
{
    private const int Capacity = 10_000;
    private const long BodyCapacity = 128 << 20;

    private readonly Lock _lock = new();
    private readonly Queue<Exchange> _exchanges = new();
    private long _bodyBytes;

    /// <summary>All that is kept, oldest first.</summary>
    public IReadOnlyList<Exchange> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _exchanges];
            }
        }
    }

    /// <summary>What one account sent.</summary>
    public IEnumerable<Exchange> Of(string account) => All.Where(exchange => exchange.Account == account);

    /// <summary>Turns over HTTP.</summary>
    public IEnumerable<Exchange> Turns => All.Where(exchange => exchange.Turn is not null);

    /// <summary>WebSocket handshakes.</summary>
    public IEnumerable<Exchange> Sockets => All.Where(exchange => exchange.IsWebSocket);

    /// <summary>The <c>response.create</c> frames on all WebSockets, in order of arrival.</summary>
    public IEnumerable<Frame> TurnFrames =>
        Sockets.SelectMany(socket => socket.Received).Where(frame => frame.Turn is not null).OrderBy(frame => frame.At);

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _exchanges.Clear();
            _bodyBytes = 0;
        }
    }

    /// <summary>Called when the body is there.</summary>
    internal void Add(Exchange exchange)
    {
        lock (_lock)
        {
            _exchanges.Enqueue(exchange);
            _bodyBytes += exchange.Body.Length;
            while (_exchanges.Count > Capacity || (_bodyBytes > BodyCapacity && _exchanges.Count > 1))
            {
                _bodyBytes -= _exchanges.Dequeue().Body.Length;
            }
        }
    }
}
