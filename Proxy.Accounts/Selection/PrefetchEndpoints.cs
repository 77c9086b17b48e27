using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;

namespace Proxy.Accounts.Selection;

/// <summary>Slots for turns that are still to come: lease, renew, give back.</summary>
internal static class PrefetchEndpoints
{
    public static void MapPrefetch(this IEndpointRouteBuilder app)
    {
        app.MapPost(AccountsRoutes.Prefetch, LeaseAsync);
        app.MapPost(AccountsRoutes.RenewPrefetched, RenewAsync);
        app.MapPost(AccountsRoutes.ReturnSlots, ReturnSlotsAsync);
    }

    private static async Task<Results<Ok<PrefetchResponse>, BadRequest, StatusCodeHttpResult>> LeaseAsync(
        PrefetchRequest request, AccountDirectory directory, PrefetchLeases prefetch, IOptions<AccountsOptions> options, TimeProvider time, CancellationToken cancellationToken)
    {
        if (request.TurnIds.Count is 0 or > PrefetchRequest.MostTurns)
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
                    return TypedResults.Ok(new PrefetchResponse(snapshot.Version, [], []));
                }
                // Who prefers an account takes no slot of another without asking.
                IReadOnlyList<Account> accounts = request.PreferredAccountId is null ? chosen.RotatedBy(request.TurnIds[0]).Accounts
                    : [.. chosen.Accounts.Where((_, index) => index == chosen.PreferredIndex)];
                var (outcome, leases) = await prefetch.LeaseAsync(request.TurnIds, request.KeyId, accounts, snapshot.Version);
                if (outcome != LeaseOutcome.Stale)
                {
                    return TypedResults.Ok(new PrefetchResponse(snapshot.Version, leases, [.. accounts
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

    private static async Task<Results<Ok<RenewPrefetchedResponse>, BadRequest, StatusCodeHttpResult>> RenewAsync(
        RenewPrefetchedRequest request, SlotLeases slots, PrefetchLeases prefetch, PoolVersion version)
    {
        if (request.Leases.Count > AccountsRoutes.MaxTurns || request.Started.Count > AccountsRoutes.MaxTurns)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            var current = version.ReadAsync();
            var wanted = prefetch.MarkStartedAsync(request.Started, [.. request.Leases.Select(lease => lease.AccountId).Distinct()]);
            var lost = slots.RenewAsync(request.Leases);
            await Task.WhenAll(current, wanted, lost);
            return TypedResults.Ok(new RenewPrefetchedResponse(await current, await lost, await wanted));
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<NoContent, BadRequest, StatusCodeHttpResult>> ReturnSlotsAsync(ReturnSlotsRequest request, SlotLeases slots, SlotWaiters waiters)
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
