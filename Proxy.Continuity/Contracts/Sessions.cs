namespace Proxy.Continuity.Contracts;

/// <summary>
/// An edge's claim on a session: the right to hold upstream sockets for the turns of one scope. Every write compares holder and epoch with the
/// record's: epochs alone may repeat after a store has lost writes.
/// </summary>
/// <param name="Session">
/// What edges call it: lower-case hex SHA-256 of key id and scope, or that, <c>~</c> and a random part for sockets beside the scope's own. At most
/// <see cref="MaxNameLength"/> of <c>0-9 a-f ~</c>.
/// </param>
/// <param name="Holder">Random, new with every claim.</param>
/// <param name="Epoch">Greater with every claim: the server's time in microseconds, or one more than the last.</param>
internal sealed record SessionClaim(string Session, string Holder, long Epoch)
{
    public const int MaxNameLength = 100;

    /// <summary>A claim that is not renewed for this long may be taken by another edge.</summary>
    public const int LeaseSeconds = 10;

    public const int RenewIntervalSeconds = 2;
}

/// <summary>
/// POST <see cref="ContinuityRoutes.ClaimSession"/>: 200 with <see cref="ClaimSessionResponse"/>; 503 when the store cannot be asked. Claiming again
/// with the same holder, as after an answer that was lost, renews the claim and returns its epoch.
/// </summary>
/// <param name="Address">Where other edges reach this one.</param>
internal sealed record ClaimSessionRequest(string Session, string Holder, string Address);

/// <summary>The record as it is now: of the asking holder, if the claim was free, or of another one.</summary>
/// <param name="Holder">The asked holder, or the one whose claim lives.</param>
/// <param name="AccountId">The account the session was on last.</param>
internal sealed record ClaimSessionResponse(string Holder, long Epoch, string Address, string? AccountId, string? Domain);

/// <summary>POST <see cref="ContinuityRoutes.FindSession"/>: 200 with <see cref="FindSessionResponse"/>; 503 when the store cannot be asked.</summary>
internal sealed record FindSessionRequest(string Session);

/// <param name="Address">Where the edge is that claimed it last, whether or not its time is over; null if it has given the claim up.</param>
/// <param name="IsKnown">False if there is no record: the store may have lost it, and then its holder writes it anew with its next renewal.</param>
internal sealed record FindSessionResponse(string? Address, bool IsKnown);

/// <summary>
/// POST <see cref="ContinuityRoutes.WriteSession"/>: 204; 409 when the claim has been superseded; 503 when the store cannot be asked. What is null stays as
/// it is, but an account other than the record's first takes away the turn state and the response of the old one. A record that is gone, or was not there yet,
/// is written anew, as by a renewal.
/// </summary>
/// <param name="Address">Where other edges reach the holder.</param>
/// <param name="KeyId">Whose session it is.</param>
/// <param name="TurnState">The latest that upstream gave.</param>
/// <param name="ResponseId">The latest that was completed.</param>
/// <param name="Stored">Whether upstream keeps that response.</param>
internal sealed record WriteSessionRequest(
    SessionClaim Claim, string Address, string KeyId, string AccountId, string Domain, string? TurnState = null, string? ResponseId = null, bool Stored = false);

/// <summary>A claim that goes on, with all that is needed to write its record anew where the store has lost it.</summary>
internal sealed record RenewedSession(SessionClaim Claim, string Address, string KeyId, string? AccountId, string? Domain);

/// <summary>
/// POST <see cref="ContinuityRoutes.RenewSessions"/>: the claims of one edge, at most <see cref="ContinuityRoutes.MaxSessions"/> a call, every
/// <see cref="SessionClaim.RenewIntervalSeconds"/>. A record that is gone is written anew. 503 when the store cannot be asked.
/// </summary>
internal sealed record RenewSessionsRequest(IReadOnlyList<RenewedSession> Sessions);

/// <param name="Lost">Names of sessions whose claim has been superseded.</param>
internal sealed record RenewSessionsResponse(IReadOnlyList<string> Lost);

/// <summary>
/// POST <see cref="ContinuityRoutes.ReleaseSessions"/>: another edge may claim them at once. A claim that has been superseded is left alone. The record stays
/// for its latest account. 204; 503 when the store cannot be asked.
/// </summary>
internal sealed record ReleaseSessionsRequest(IReadOnlyList<SessionClaim> Claims);
