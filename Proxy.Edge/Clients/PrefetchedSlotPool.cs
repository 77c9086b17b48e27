using Proxy.Accounts.Contracts;

namespace Proxy.Edge.Clients;

/// <summary>A slot that was leased for a turn to come.</summary>
/// <param name="TurnId">The id under which it was leased, and which that turn will have.</param>
/// <param name="Version">The state of accounts and keys it was decided on.</param>
/// <param name="LeasedAt">When it was asked for, on the monotonic clock.</param>
internal sealed record PrefetchedSlot(Guid TurnId, AdmittedAccount Account, string Version, long LeasedAt)
{
    public SlotLease Lease => new(TurnId, Account.Id);
}

/// <summary>What turns have in common that may take each other's slots.</summary>
/// <param name="PreferredAccountId">The only account that will do for them without asking; null where the service is to choose.</param>
internal readonly record struct TurnShape(string KeyId, string? Model, bool NeedsWebSockets, string? PreferredAccountId);

/// <summary>The slots that were prefetched for turns of one shape, and how many of those there were lately. Not for several threads at once.</summary>
internal sealed class PrefetchedSlotPool(TimeProvider time)
{
    // A turn that comes alone is not worth a slot that lies idle.
    private const int FewTurns = 2;
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(250);

    private readonly List<PrefetchedSlot> _slots = [];
    private long _windowBegan = time.GetTimestamp();
    private int _turns, _turnsBefore;
    private long? _notBefore;

    /// <summary>True while slots are being asked for.</summary>
    public bool IsAsking { get; set; }

    public IReadOnlyList<PrefetchedSlot> Slots => _slots;

    /// <summary>True if no turn of its shape has come for a while.</summary>
    public bool IsIdle => _slots.Count == 0 && !IsAsking && time.GetElapsedTime(_windowBegan) > Window * 8;

    /// <summary>A turn of this shape has come.</summary>
    public void CountTurn()
    {
        var elapsed = time.GetElapsedTime(_windowBegan);
        if (elapsed >= Window)
        {
            (_turnsBefore, _turns, _windowBegan) = (elapsed < Window * 2 ? _turns : 0, 0, time.GetTimestamp());
        }
        _turns++;
    }

    /// <summary>How many slots are worth asking for now: as many as there were turns lately, once half of that is gone.</summary>
    public int Missing(int most)
    {
        var lately = _turns + _turnsBefore;
        var target = Math.Min(lately, most);
        return IsAsking || lately < FewTurns || _slots.Count > target / 2 || IsResting ? 0 : target - _slots.Count;
    }

    /// <summary>No more are asked for within a time: there was no room to spare.</summary>
    public void Rest(TimeSpan pause) => _notBefore = Math.Max(_notBefore ?? long.MinValue, time.GetTimestamp() + (long)(pause.TotalSeconds * time.TimestampFrequency));

    /// <summary>True within that time.</summary>
    public bool IsResting => _notBefore is { } notBefore && time.GetTimestamp() < notBefore;

    public void Add(PrefetchedSlot slot) => _slots.Add(slot);

    /// <summary>The oldest slot that will do for the request, and is still known to be leased.</summary>
    public PrefetchedSlot? Take(AdmissionRequest request, Predicate<PrefetchedSlot> isKnown)
    {
        var index = _slots.FindIndex(slot => isKnown(slot) && Fits(slot.Account, request));
        if (index < 0)
        {
            return null;
        }
        var slot = _slots[index];
        _slots.RemoveAt(index);
        return slot;
    }

    /// <summary>Takes out all that match.</summary>
    public IReadOnlyList<PrefetchedSlot> Remove(Predicate<PrefetchedSlot> matches)
    {
        var removed = _slots.FindAll(matches);
        _slots.RemoveAll(matches);
        return removed;
    }

    /// <summary>True if the account is what the request demands and prefers; whether a preferred one has room only the service can say.</summary>
    public static bool Fits(AdmittedAccount account, AdmissionRequest request) =>
        (request.Domain is null || request.Domain == account.Domain)
        && (request.OnlyAccountId is null || request.OnlyAccountId == account.Id)
        && (request.PreferredAccountId is null || request.PreferredAccountId == account.Id);
}
