using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>Steps 2 and 3 of a turn: find the owner of what it names, then lease a slot of an account that may serve it.</summary>
internal sealed class TurnAdmission(
    OwnerDirectory owners, AccountsClient accounts, LeaseKeeper leases, TurnJournal journal, TurnTelemetry telemetry, IOptions<EdgeOptions> options, TimeProvider time)
{
    /// <summary>Resolves and admits; on success the turn holds a slot and is journaled.</summary>
    /// <param name="currentAccountId">The account whose socket the client is on already: preferred where nothing is demanded.</param>
    public async Task<ApiError?> AdmitAsync(Turn turn, bool needsWebSockets, string? currentAccountId, CancellationToken cancellationToken)
    {
        turn.Activity = telemetry.Begin(turn);
        var (route, error) = await ResolveAsync(turn, OwnerRoute.DemandsOf(turn.Request), cancellationToken);
        if (route is null)
        {
            return error;
        }
        var response = await LeaseAsync(new AdmissionRequest(
            turn.Id, AdmissionPurpose.Turn, turn.Caller.KeyId, turn.Request.Model, route.Domain,
            route.Domain is null ? currentAccountId ?? route.PreferredAccountId : route.PreferredAccountId,
            null, needsWebSockets, options.Value.AdmissionWaitSeconds * 1000), cancellationToken);
        if (response?.Account is not { } account)
        {
            return Explain(turn, response?.Refusal);
        }
        turn.Account = account;
        turn.LeaseLost = leases.Hold(turn.Id, account.Id);
        try
        {
            journal.Begin(turn);
            return null;
        }
        catch (IOException)
        {
            return Errors.SpoolFull;
        }
    }

    /// <summary>Where a request that names these ids has to go.</summary>
    public async Task<(OwnerRoute? Route, ApiError? Error)> ResolveAsync(Turn turn, IReadOnlyList<OwnedId> demands, CancellationToken cancellationToken)
    {
        if (demands.Count == 0 && turn.Scope.Key is null)
        {
            return (new OwnerRoute(null, null, turn.OwnerSource, null), null);
        }
        var resolved = await owners.ResolveAsync(turn.Caller.KeyId, turn.Scope.Key, demands, cancellationToken);
        if (resolved is null)
        {
            telemetry.CountFailClosed(turn, "lookup_failed");
            return (null, Errors.OwnerLookupFailed);
        }
        var (route, error) = OwnerRoute.Choose(resolved.Owners, resolved.ScopeAccountId);
        if (route is not null)
        {
            turn.OwnerSource = route.Source;
            telemetry.Resolved(turn, route);
        }
        return (route, error);
    }

    private async Task<AdmissionResponse?> LeaseAsync(AdmissionRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await accounts.AdmitAsync(request, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The slot may have been leased meanwhile, and nobody else would give it back before its lease ends.
            await accounts.AbandonAsync(request.TurnId);
            throw;
        }
    }

    private ApiError Explain(Turn turn, AdmissionRefusal? refusal)
    {
        if (refusal?.Reason is RefusalReason.OwnerGone or RefusalReason.OwnerCooling)
        {
            telemetry.CountFailClosed(turn, refusal.Reason == RefusalReason.OwnerGone ? "owner_gone" : "owner_cooling");
        }
        return refusal?.Reason == RefusalReason.OwnerGone
            // Nobody can continue it any more: told so, the client rebuilds from its history on another account.
            ? OwnerRoute.NotFound(OwnerRoute.DemandsOf(turn.Request)[0])
            : Refusals.Explain(refusal, turn.Request.Model, time.GetUtcNow());
    }
}
