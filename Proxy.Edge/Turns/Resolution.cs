using Proxy.Accounts.Contracts;

namespace Proxy.Edge.Turns;

/// <summary>What is known of where a request is at home.</summary>
/// <param name="Route">Where it must or would rather go.</param>
/// <param name="TurnStateDomain">The domain that gave the turn state it carries; null where that is not known, or there is none.</param>
/// <param name="TurnStateSession">The session that gave the turn state it carries.</param>
/// <param name="EncryptedIn">The domain that can read the encrypted content it carries; null where that is not known.</param>
internal sealed record Resolution(OwnerRoute Route, string? TurnStateDomain = null, string? TurnStateSession = null, string? EncryptedIn = null)
{
    /// <summary>Of what names nothing.</summary>
    public static Resolution None { get; } = new(new OwnerRoute(null, null, "none", null));

    /// <summary>The same, to be tried where it was not thought to be at home.</summary>
    public Resolution Elsewhere() => this with { Route = Route.Elsewhere(), EncryptedIn = null };
}

/// <summary>What a turn was given to run with.</summary>
/// <param name="Account">The account whose slot it holds.</param>
/// <param name="DropsReasoning">True if reasoning that only another organisation can read is left out.</param>
internal sealed record Admitted(AdmittedAccount Account, bool DropsReasoning = false);
