using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;

namespace Proxy.Accounts.Selection;

/// <summary>Slots for turns that are still to come: lease, renew, give back.</summary>
internal static class AheadEndpoints
{
    public static void MapAhead(this IEndpointRouteBuilder app)
    {
        app.MapPost(AccountsRoutes.LeaseAhead, LeaseAsync);
        app.MapPost(AccountsRoutes.RenewAhead, RenewAsync);
        app.MapPost(AccountsRoutes.GiveBack, GiveBackAsync);
    }

    private static async Task<Results<Ok<LeaseAheadResponse>, BadRequest, StatusCodeHttpResult>> LeaseAsync(
        LeaseAheadRequest request, AccountDirectory directory, AheadLeases ahead, IOptions<AccountsOptions> options, TimeProvider time, CancellationToken cancellationToken)
    {
        if (request.TurnIds.Count is 0 or > LeaseAheadRequest.MostTurns)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            // As the first of them would ask.
            var admission = new AdmissionRequest(request.TurnIds[0], AdmissionPurpose.Turn, request.KeyId, request.Model, null, request.PreferredAccountId, null, request.NeedsWebSockets, WaitMs: 0, NeedsModel: true);
            var snapshot = await directory.GetAsync(cancellationToken);
            while (true)
            {
                var now = time.GetUtcNow();
                if (Candidates.Choose(snapshot, admission, now).Candidates is not { } chosen)
                {
                    return TypedResults.Ok(new LeaseAheadResponse(snapshot.Version, [], []));
                }
                // Who prefers an account takes no slot of another without asking.
                IReadOnlyList<Account> accounts = request.PreferredAccountId is null ? chosen.RotatedBy(request.TurnIds[0]).Accounts
                    : [.. chosen.Accounts.Where((_, index) => index == chosen.PreferredIndex)];
                var (outcome, leases) = await ahead.LeaseAsync(request.TurnIds, request.KeyId, accounts, snapshot.Version);
                if (outcome != LeaseOutcome.Stale)
                {
                    return TypedResults.Ok(new LeaseAheadResponse(snapshot.Version, leases, [.. accounts
                        .Where(account => leases.Any(lease => lease.AccountId == account.Key)).Select(account => account.Admit(options.Value.LeaseSeconds, now))]));
                }
                snapshot = await directory.ReloadAsync(snapshot, cancellationToken);
            }
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<Ok<RenewAheadResponse>, BadRequest, StatusCodeHttpResult>> RenewAsync(
        RenewAheadRequest request, SlotLeases slots, AheadLeases ahead, PoolVersion version)
    {
        if (request.Ahead.Count > AccountsRoutes.MaxTurns || request.Begun.Count > AccountsRoutes.MaxTurns)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            var current = version.ReadAsync();
            var wanted = ahead.BeginAsync(request.Begun, [.. request.Ahead.Select(lease => lease.AccountId).Distinct()]);
            var lost = slots.RenewAsync(request.Ahead);
            await Task.WhenAll(current, wanted, lost);
            return TypedResults.Ok(new RenewAheadResponse(await current, await lost, await wanted));
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<NoContent, BadRequest, StatusCodeHttpResult>> GiveBackAsync(GiveBackRequest request, SlotLeases slots, SlotWaiters waiters)
    {
        if (request.Leases.Count > AccountsRoutes.MaxTurns)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            waiters.Freed(await slots.ReleaseAsync(request.Leases));
            return TypedResults.NoContent();
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }
}
