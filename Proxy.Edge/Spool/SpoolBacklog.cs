using System.Threading.Channels;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Spool;

/// <summary>A turn whose end has been read from the spool.</summary>
/// <param name="row">What is to be told of it.</param>
/// <param name="segments">Segments that must stay until it is acknowledged: that of its beginning and that of its end.</param>
internal sealed class EndedTurn(RequestLogRow row, params IReadOnlyList<SegmentReader> segments)
{
    public RequestLogRow Row { get; } = row;

    public IReadOnlyList<SegmentReader> Segments { get; } = segments;
}

/// <summary>
/// What the spool holds that one of the services has not acknowledged. Each service has its own backlog, with its own place in the files
/// and a window of its own, so that neither waits for the other. Owned by one task.
/// </summary>
/// <param name="cut">Turns that an earlier process has begun and not ended, with the account they were on.</param>
/// <param name="concerns">Whether the service is to be told of a turn at all.</param>
/// <param name="isDue">Whether it may be told yet.</param>
internal sealed class SpoolBacklog(TurnSpool spool, IReadOnlyDictionary<Guid, string?> cut, Predicate<RequestLogRow> concerns, Predicate<RequestLogRow> isDue)
{
    private const int MaxEnded = 4000;

    private readonly Channel<bool> _changed = spool.Watch();
    private readonly List<SegmentReader> _readers = [];
    private readonly Dictionary<Guid, EndedTurn> _open = [];
    private readonly List<EndedTurn> _ended = [];
    private int _newest = -1;

    /// <summary>Waits until something was written, or became due, since the last call.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken) => await _changed.Reader.ReadAsync(cancellationToken);

    /// <summary>Turns to tell next: at most <paramref name="most"/>, and no more than fit into <paramref name="mostBytes"/> of JSON, but always one.</summary>
    public IReadOnlyList<EndedTurn> Next(int most, int mostBytes)
    {
        Read();
        RemoveFinished();
        var next = new List<EndedTurn>();
        var bytes = 0;
        foreach (var turn in _ended.Where(turn => isDue(turn.Row)).Take(most))
        {
            bytes += turn.Row.MostJsonBytes();
            if (bytes > mostBytes && next.Count > 0)
            {
                break;
            }
            next.Add(turn);
        }
        return next;
    }

    /// <summary>The service has taken these turns.</summary>
    public void Acknowledge(IReadOnlyList<EndedTurn> turns)
    {
        foreach (var turn in turns)
        {
            Forget(turn);
        }
        _ended.RemoveAll(turns.ToHashSet().Contains);
        RemoveFinished();
    }

    private void Read()
    {
        foreach (var segment in spool.Segments.Where(segment => segment.Order > _newest))
        {
            _readers.Add(new SegmentReader(segment, spool.Recent));
            _newest = segment.Order;
        }
        foreach (var reader in _readers)
        {
            while (_ended.Count < MaxEnded && reader.Read() is { Count: > 0 } records)
            {
                Take(reader, records);
            }
        }
    }

    private void Take(SegmentReader reader, IReadOnlyList<SpoolRecord> records)
    {
        foreach (var record in records)
        {
            if (record.Began is { } began)
            {
                // A turn that was sent once more has begun twice: the later beginning knows the account it is on.
                reader.PendingTurns++;
                _open[began.Id] = new EndedTurn(began, [.. _open.TryGetValue(began.Id, out var earlier) ? earlier.Segments : [], reader]);
                if (cut.TryGetValue(began.Id, out var accountId) && accountId == began.AccountId)
                {
                    End(began, reader);
                }
            }
            if (record.Ended is { } ended)
            {
                End(ended, reader);
            }
        }
    }

    private void End(RequestLogRow row, SegmentReader reader)
    {
        reader.PendingTurns++;
        var turn = _open.Remove(row.Id, out var open) ? new EndedTurn(row, [.. open.Segments, reader]) : new EndedTurn(row, reader);
        if (concerns(row))
        {
            _ended.Add(turn);
        }
        else
        {
            Forget(turn);
        }
    }

    private static void Forget(EndedTurn turn)
    {
        foreach (var segment in turn.Segments)
        {
            segment.PendingTurns--;
        }
    }

    private void RemoveFinished()
    {
        foreach (var reader in _readers.Where(reader => reader.IsDone && reader.PendingTurns == 0).ToArray())
        {
            _readers.Remove(reader);
            spool.Release(reader.Segment);
        }
    }
}
