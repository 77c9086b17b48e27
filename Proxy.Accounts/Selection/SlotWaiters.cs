using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;

namespace Proxy.Accounts.Selection;

/// <summary>
/// Turns that wait for a slot within this instance, in a queue for each API key: first come first served within a key, and the keys in turn. A freed slot wakes the first of the
/// next key that may use it. Since slots are freed on other replicas too, whoever is first of its key for an account also looks for itself from time to time.
/// </summary>
internal sealed class SlotWaiters(IOptions<AccountsOptions> options, TimeProvider time)
{
    /// <summary>How often those look for themselves.</summary>
    public static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider _time = time;
    private readonly Lock _lock = new();

    // The key that was woken last stands at the end.
    private readonly LinkedList<KeyQueue> _queues = [];
    private int _count;

    /// <summary>How many wait now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _count;
            }
        }
    }

    /// <summary>True if a turn of the key waits for one of these accounts already: a newcomer does not overtake. Between keys the leases decide.</summary>
    public bool AnyoneWants(string keyId, IReadOnlyList<Account> accounts)
    {
        lock (_lock)
        {
            return QueueOf(keyId)?.Places.Any(place => place.WantsAnyOf(accounts)) == true;
        }
    }

    /// <summary>True if more turns of the key wait than the one that has this place.</summary>
    public bool MoreWait(string keyId, Place? place)
    {
        lock (_lock)
        {
            return (QueueOf(keyId)?.Places.Count ?? 0) > (place is null ? 0 : 1);
        }
    }

    /// <summary>
    /// Goes to the end of its key's queue. The place is kept, however often it is waited at, until it is disposed. Null where all places are taken; but a key that has two places
    /// less than another takes over the last one of the key that has most.
    /// </summary>
    public Place? TryJoin(string keyId, IReadOnlyList<Account> accounts)
    {
        lock (_lock)
        {
            var queue = QueueOf(keyId);
            if (_count >= options.Value.MaxWaitingTurns)
            {
                var longest = _queues.MaxBy(other => other.Places.Count);
                if (longest is null || longest.Places.Count < (queue?.Places.Count ?? 0) + 2)
                {
                    return null;
                }
                longest.Places.Last!.Value.Lose();
            }
            if (queue is null)
            {
                queue = new KeyQueue(keyId);
                // Not served yet, so it is its turn.
                _queues.AddFirst(queue);
            }
            var place = new Place(this, queue, accounts);
            queue.Places.AddLast(place);
            _count++;
            return place;
        }
    }

    /// <summary>Wakes one waiter for each slot that was freed.</summary>
    public void Freed(IEnumerable<string> accountIds)
    {
        lock (_lock)
        {
            foreach (var accountId in accountIds)
            {
                WakeNext(place => place.Accounts.Any(account => account.Key == accountId));
            }
        }
    }

    private KeyQueue? QueueOf(string keyId) => _queues.FirstOrDefault(queue => queue.KeyId == keyId);

    private void WakeNext(Func<Place, bool> wants)
    {
        for (var node = _queues.First; node is not null; node = node.Next)
        {
            if (node.Value.Places.FirstOrDefault(place => !place.IsAwake && wants(place)) is { } next)
            {
                next.Wake();
                _queues.Remove(node);
                _queues.AddLast(node);
                return;
            }
        }
    }

    private void Remove(Place place)
    {
        if (!place.Queue.Places.Remove(place))
        {
            return;
        }
        _count--;
        if (place.Queue.Places.Count == 0)
        {
            _queues.Remove(place.Queue);
        }
    }

    /// <summary>The turns of one key that wait.</summary>
    internal sealed class KeyQueue(string keyId)
    {
        public string KeyId { get; } = keyId;

        public LinkedList<Place> Places { get; } = [];
    }

    /// <summary>A place in the queue.</summary>
    internal sealed class Place(SlotWaiters waiters, KeyQueue queue, IReadOnlyList<Account> accounts) : IDisposable
    {
        private TaskCompletionSource _awake = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile bool _isLost;

        public KeyQueue Queue { get; } = queue;

        public IReadOnlyList<Account> Accounts { get; private set; } = accounts;

        public bool IsAwake => _awake.Task.IsCompleted;

        /// <summary>True once it was given to a key that had none.</summary>
        public bool IsLost => _isLost;

        public void Wake() => _awake.TrySetResult();

        /// <summary>It is another's from now on.</summary>
        public void Lose()
        {
            _isLost = true;
            waiters.Remove(this);
            Wake();
        }

        public bool WantsAnyOf(IReadOnlyList<Account> others) => Accounts.Any(account => others.Any(other => other.Key == account.Key));

        /// <summary>
        /// Ends when it is time to try for a slot of one of these accounts: one was freed, or it may have been elsewhere; at the latest after the bound, and at once when the place
        /// is lost.
        /// </summary>
        public async Task WaitAsync(IReadOnlyList<Account> accounts, TimeSpan bound, CancellationToken cancellationToken)
        {
            lock (waiters._lock)
            {
                Accounts = accounts;
            }
            var began = waiters._time.GetTimestamp();
            while (!_isLost)
            {
                var left = bound - waiters._time.GetElapsedTime(began);
                if (left <= TimeSpan.Zero || await IsWokenAsync(left < LookAgain ? left : LookAgain, cancellationToken) || IsFirstForAny())
                {
                    return;
                }
            }
        }

        /// <summary>Leaves the queue, with a slot or without; the next one looks whether there is one more.</summary>
        public void Dispose()
        {
            lock (waiters._lock)
            {
                waiters.Remove(this);
                waiters.WakeNext(place => place.WantsAnyOf(Accounts));
            }
        }

        private async Task<bool> IsWokenAsync(TimeSpan bound, CancellationToken cancellationToken)
        {
            try
            {
                await _awake.Task.WaitAsync(bound, waiters._time, cancellationToken);
            }
            catch (TimeoutException)
            {
                return false;
            }
            lock (waiters._lock)
            {
                _awake = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
            return true;
        }

        private bool IsFirstForAny()
        {
            lock (waiters._lock)
            {
                return Accounts.Any(account => Queue.Places.FirstOrDefault(place => place.Accounts.Any(other => other.Key == account.Key)) == this);
            }
        }
    }
}
