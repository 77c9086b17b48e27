using Proxy.Accounts.Accounts;

namespace Proxy.Accounts.Selection;

/// <summary>
/// Turns that wait for a slot, first come first served within this instance: a freed slot wakes the first one in line that may use it.
/// Since slots are freed on other replicas too, whoever is first in line for an account also looks for itself from time to time.
/// </summary>
internal sealed class SlotWaiters(TimeProvider time)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider _time = time;
    private readonly Lock _lock = new();
    private readonly LinkedList<Place> _line = [];

    /// <summary>How many wait now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _line.Count;
            }
        }
    }

    /// <summary>True if somebody waits for one of these accounts already: a newcomer does not overtake.</summary>
    public bool AnyoneWants(IReadOnlyList<Account> accounts)
    {
        lock (_lock)
        {
            return _line.Any(place => place.WantsAnyOf(accounts));
        }
    }

    /// <summary>Goes to the end of the line. The place is kept, however often it is waited at, until it is disposed.</summary>
    public Place Join(IReadOnlyList<Account> accounts)
    {
        lock (_lock)
        {
            var place = new Place(this, accounts);
            _line.AddLast(place);
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
                _line.FirstOrDefault(place => !place.IsAwake && place.Accounts.Any(account => account.Key == accountId))?.Wake();
            }
        }
    }

    /// <summary>A place in the line.</summary>
    internal sealed class Place(SlotWaiters waiters, IReadOnlyList<Account> accounts) : IDisposable
    {
        private TaskCompletionSource _awake = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IReadOnlyList<Account> Accounts { get; private set; } = accounts;

        public bool IsAwake => _awake.Task.IsCompleted;

        public void Wake() => _awake.TrySetResult();

        public bool WantsAnyOf(IReadOnlyList<Account> others) => Accounts.Any(account => others.Any(other => other.Key == account.Key));

        /// <summary>Ends when it is time to try for a slot of one of these accounts: one was freed, or it may have been elsewhere; at the latest after the bound.</summary>
        public async Task WaitAsync(IReadOnlyList<Account> accounts, TimeSpan bound, CancellationToken cancellationToken)
        {
            lock (waiters._lock)
            {
                Accounts = accounts;
            }
            var began = waiters._time.GetTimestamp();
            while (true)
            {
                var left = bound - waiters._time.GetElapsedTime(began);
                if (left <= TimeSpan.Zero || await IsWokenAsync(left < LookAgain ? left : LookAgain, cancellationToken) || IsFirstForAny())
                {
                    return;
                }
            }
        }

        /// <summary>Leaves the line, with a slot or without; the next one looks whether there is one more.</summary>
        public void Dispose()
        {
            lock (waiters._lock)
            {
                waiters._line.Remove(this);
                waiters._line.FirstOrDefault(place => place.WantsAnyOf(Accounts))?.Wake();
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
                return Accounts.Any(account => waiters._line.First(place => place.Accounts.Any(other => other.Key == account.Key)) == this);
            }
        }
    }
}
