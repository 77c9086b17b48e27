using Proxy.Edge.Downstream;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>A turn on an upstream socket, from the sending of its frame until its response has ended there.</summary>
/// <param name="first">Of the turn whose events come first.</param>
/// <param name="client">Where its events go.</param>
internal sealed class SocketAttempt(TurnAttempt first, string lane, AttemptDeadline deadline, IEventSink client)
{
    private const int Waiting = 0;
    private const int Created = 1;
    private const int Finished = 2;
    private const int Abandoned = 3;

    private readonly TaskCompletionSource<RecoverySignal?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _state;

    /// <summary>The turn whose events come; after a steered response its successor.</summary>
    public Turn Turn => TurnAttempt.Turn;

    /// <summary>The attempt at that turn.</summary>
    public TurnAttempt TurnAttempt { get; private set; } = first;

    public string Lane { get; } = lane;

    public AttemptDeadline Deadline { get; } = deadline;

    public IEventSink Client { get; } = client;

    /// <summary>The id of the response that this attempt was given.</summary>
    public string? ResponseId { get; set; }

    /// <summary>True when nobody waits for it any more: what still comes of it must reach no one.</summary>
    public bool IsAbandoned => Volatile.Read(ref _state) == Abandoned;

    /// <summary>Its response was created; false if it was abandoned first, and then must not be told of.</summary>
    public bool TryCreate() => Interlocked.CompareExchange(ref _state, Created, Waiting) != Abandoned;

    /// <summary>Its end has come; false if it was abandoned first, and then must not be told of.</summary>
    public bool TryFinish() => MoveTo(Finished) is not null;

    /// <summary>Nobody waits for it any more; false if its end had come first, and will be told.</summary>
    /// <param name="wasCreated">Whether its response had been created.</param>
    public bool TryAbandon(out bool wasCreated)
    {
        var before = MoveTo(Abandoned);
        wasCreated = before == Created;
        return before is not null;
    }

    // From waiting or created; the state that was left, or null where it had been left before.
    private int? MoveTo(int to)
    {
        var state = Volatile.Read(ref _state);
        while (state is Waiting or Created)
        {
            var before = Interlocked.CompareExchange(ref _state, to, state);
            if (before == state)
            {
                return before;
            }
            state = before;
        }
        return null;
    }

    /// <summary>Null when the terminal event was relayed; else what happened instead.</summary>
    public Task<RecoverySignal?> Ended => _ended.Task;

    /// <summary>The first to say how the attempt has ended is right.</summary>
    public bool TryEnd(RecoverySignal? signal) => _ended.TrySetResult(signal);

    /// <summary>Upstream goes on by itself with another response on the same lane; false if nobody waits for that any more.</summary>
    public bool TryBeginSuccessor(TurnAttempt successor)
    {
        var steered = TurnAttempt;
        (TurnAttempt, ResponseId) = (successor, null);
        if (Interlocked.CompareExchange(ref _state, Waiting, Created) == Created)
        {
            return true;
        }
        TurnAttempt = steered;
        return false;
    }
}
