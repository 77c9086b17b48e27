using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;

namespace Proxy.Edge.Spool;

/// <summary>A turn whose end has been read from the spool.</summary>
/// <param name="row">What is logged and settled.</param>
/// <param name="segments">Segments that must stay until it is: that of its beginning and that of its end.</param>
internal sealed class EndedTurn(RequestLogRow row, params SegmentReader[] segments)
{
    public RequestLogRow Row { get; } = row;

    public IReadOnlyList<SegmentReader> Segments { get; } = segments;

    public bool IsLogged { get; set; }

    /// <summary>A turn that was never given an account has nothing to settle.</summary>
    public bool IsSettled { get; set; } = row.AccountId is null;
}

/// <summary>
/// What the spool holds that is not acknowledged. Owned by the shipper's one task. A turn is settled only after its slot was given back:
/// upstream may still be at work for a moment after the terminal event, and another turn in that slot would be one too many.
/// </summary>
internal sealed class SpoolBacklog(TurnSpool spool, LeaseKeeper leases)
{
    private const int MaxEnded = 4000;

    private readonly List<SegmentReader> _readers = [];
    private readonly Dictionary<Guid, EndedTurn> _open = [];
    private readonly List<EndedTurn> _ended = [];

    /// <summary>Ended turns whose rows are not logged yet.</summary>
    public IReadOnlyList<EndedTurn> Unlogged(int most) => [.. _ended.Where(turn => !turn.IsLogged).Take(most)];

    /// <summary>Ended turns whose slots were given back and that are not settled yet.</summary>
    public IReadOnlyList<EndedTurn> Unsettled(int most) => [.. _ended.Where(turn => !turn.IsSettled && !leases.IsHeld(turn.Row.Id)).Take(most)];

    /// <summary>Reads what an earlier process has left. Turns that it has begun and not ended were cut by its death; returns how many.</summary>
    public int ReadLeftBehind()
    {
        for (var left = spool.LeftBehind; left > 0 && spool.Sealed.TryDequeue(out var segment); left--)
        {
            var reader = new SegmentReader(segment);
            _readers.Add(reader);
            while (ReadBatch(reader))
            {
            }
        }
        var cut = _open.Count;
        _ended.AddRange(_open.Values);
        _open.Clear();
        return cut;
    }

    /// <summary>Reads on, as far as memory allows.</summary>
    public void Read()
    {
        AddReaders();
        foreach (var reader in _readers)
        {
            while (_ended.Count < MaxEnded && ReadBatch(reader))
            {
            }
        }
    }

    /// <summary>Forgets turns that are logged and settled, and removes segments in which nothing else is left.</summary>
    public void RemoveFinished()
    {
        foreach (var turn in _ended)
        {
            if (turn is { IsLogged: true, IsSettled: true })
            {
                foreach (var segment in turn.Segments)
                {
                    segment.PendingTurns--;
                }
            }
        }
        _ended.RemoveAll(turn => turn is { IsLogged: true, IsSettled: true });
        foreach (var reader in _readers.Where(reader => reader.IsDone && reader.PendingTurns == 0).ToArray())
        {
            _readers.Remove(reader);
            spool.Remove(reader.Segment);
        }
    }

    private void AddReaders()
    {
        // The current segment first: it may become a sealed one meanwhile, and is then in the queue as well.
        var current = spool.Current;
        while (spool.Sealed.TryDequeue(out var segment))
        {
            AddReader(segment);
        }
        AddReader(current);
    }

    private void AddReader(SpoolSegment segment)
    {
        if (_readers.TrueForAll(reader => reader.Segment != segment))
        {
            _readers.Add(new SegmentReader(segment));
        }
    }

    private bool ReadBatch(SegmentReader reader)
    {
        var records = reader.Read();
        foreach (var record in records)
        {
            if (record.Began is { } began && _open.TryAdd(began.Id, new EndedTurn(began, reader)))
            {
                reader.PendingTurns++;
            }
            if (record.Ended is { } ended)
            {
                reader.PendingTurns++;
                _ended.Add(_open.Remove(ended.Id, out var open) ? new EndedTurn(ended, [.. open.Segments, reader]) : new EndedTurn(ended, reader));
            }
        }
        return records.Count > 0;
    }
}
