using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using ServiceDefaults.Http;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Turns;

/// <summary>Step 2 of a turn: finds where what it names is at home.</summary>
internal sealed partial class OwnerResolution(
    OwnerDirectory owners, AccountsClient accounts, TurnTelemetry telemetry, IOptions<RecoveryOptions> recovery, IOptions<ContinuityOptions> continuity, ILogger<OwnerResolution> logger)
{
    // No account is of this domain: a turn state of another key goes nowhere.
    private const string ForeignDomain = "";

    /// <summary>Where a request that names these ids has to go; neither a resolution nor an error if that could not be looked up.</summary>
    public async Task<(Resolution? Resolution, ApiError? Error)> ResolveAsync(AcceptedRequest accepted, IReadOnlyList<OwnedId> demands, CancellationToken cancellationToken)
    {
        if (demands.Count == 0 && accepted.Scope.Key is null && !accepted.Request.HasEncryptedContent)
        {
            return (Resolution.None, null);
        }
        // Of one that is longer than any id nobody knows anything.
        var states = accepted.Scope.TurnState is { Length: <= OwnedId.MaxLength } turnState ? new OwnedId[] { new(OwnedKinds.TurnState, turnState) } : [];
        OwnedId[] asked = [.. demands, .. states, .. accepted.Request.Encrypted];
        var resolved = await owners.ResolveAsync(accepted.Caller.KeyId, accepted.Scope, asked, cancellationToken);
        if (resolved is null)
        {
            telemetry.CountResolution(accepted.Surface, "none", "fail_closed");
            LogResolution(LogLevel.Warning, accepted.Surface, "none", "fail_closed", LoggedId.Of(accepted.Request.PreviousResponseId), LoggedId.Of(accepted.Scope.SessionId));
            return (null, null);
        }
        var state = states.Length > 0 ? resolved.Owners[demands.Count] : null;
        var encrypted = resolved.Owners.Skip(demands.Count + states.Length).FirstOrDefault(owner => owner.Owner is not null)?.Owner;
        var (route, error) = OwnerRoute.Choose([.. resolved.Owners.Take(demands.Count)], encrypted?.AccountId ?? state?.Owner?.AccountId ?? resolved.ScopeAccountId);
        if (route is null)
        {
            telemetry.CountResolution(accepted.Surface, "none", "foreign");
            return (null, error);
        }
        // Of an anchor the publication may be late; in its own conversation it goes on where that was.
        var isLate = route.Unknown is { Kind: OwnedKinds.Response } && resolved.ScopeAccountId is not null;
        if (route.Unknown is { } unknown && !isLate && continuity.Value.UnknownIds == UnknownIds.Refuse)
        {
            // It may be anybody's. Where there is nobody else, the account is asked.
            var open = await accounts.ListOpenAsync(accepted.Caller.KeyId, cancellationToken);
            if (open?.SoleKey != true)
            {
                telemetry.CountResolution(accepted.Surface, "none", open is null ? "fail_closed" : "unknown");
                return (null, open is null ? null : Errors.NotFound(unknown));
            }
        }
        var stateDomain = state is { Outcome: OwnerOutcome.Foreign } ? ForeignDomain : state?.Owner?.Domain;
        var encryptedIn = accepted.Request.HasEncryptedContent ? route.Domain ?? encrypted?.Domain ?? stateDomain ?? resolved.ScopeDomain : null;
        route = route with { IsGuess = route.IsGuess || (accepted.Request.HasEncryptedContent && route.Domain is null && encrypted is null) };
        if (route.Domain is null && encryptedIn is not null && !recovery.Value.MayDropReasoning(accepted.Request))
        {
            route = route with { Domain = encryptedIn, OnlyEncrypted = true };
        }
        telemetry.CountResolution(accepted.SurfaceOn(route.Session), route.Source, route switch { { Source: "none" } => "none", { Source: "unknown" } => "miss", _ => "hit" });
        if (route.Source == "postgres")
        {
            // Worth a line: Redis has lost it.
            LogResolution(LogLevel.Information, accepted.SurfaceOn(route.Session), route.Source, "hit", LoggedId.Of(accepted.Request.PreviousResponseId), LoggedId.Of(accepted.Scope.SessionId));
        }
        return (new Resolution(route, stateDomain, state?.Owner?.Session, encryptedIn), null);
    }

    [LoggerMessage(EventId = 442, Message = "continuity_owner_resolution surface={Surface} source={Source} outcome={Outcome} previous_response_id={PreviousResponseId} session_id={SessionId}")]
    private partial void LogResolution(LogLevel level, string surface, string source, string outcome, string previousResponseId, string sessionId);
}
