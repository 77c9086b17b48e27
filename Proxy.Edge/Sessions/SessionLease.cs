using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Sessions;

/// <summary>
/// A claim on a session as its holder may trust in it: by this machine's monotonic clock, from the moment the last renewal was asked for. A process that
/// was frozen finds by itself that its time is over, whatever the store says later.
/// </summary>
/// <param name="isContested">False for a name that nobody else can know, and so nobody can claim.</param>
/// <param name="asOf">Timestamp from before the claim was made.</param>
internal sealed class SessionLease(SessionClaim claim, bool isContested, TimeProvider time, long asOf)
{
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(SessionClaim.LeaseSeconds) - Margin;

    private long _renewed = asOf;

    public SessionClaim Claim { get; } = claim;

    /// <summary>True while nobody else can have claimed the session.</summary>
    public bool IsValid => !isContested || time.GetElapsedTime(Volatile.Read(ref _renewed)) < Length;

    /// <summary>The claim was renewed by a call that began at <paramref name="asOf"/>.</summary>
    public void Renewed(long asOf) => Volatile.Write(ref _renewed, asOf);
}
