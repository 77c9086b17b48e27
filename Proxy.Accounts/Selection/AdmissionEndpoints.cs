using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;
using StackExchange.Redis;

namespace Proxy.Accounts.Selection;

/// <summary>Key check, admission, renewal, marks, and the accounts open to a key.</summary>
internal static class AdmissionEndpoints
{
    public static void MapAdmissions(this IEndpointRouteBuilder app)
    {
        app.MapPost(AccountsRoutes.CheckKey, CheckKeyAsync);
        app.MapPost(AccountsRoutes.KeyGrants, ListGrantsAsync);
        app.MapPost(AccountsRoutes.Admit, AdmitAsync);
        app.MapPost(AccountsRoutes.Abandon, AbandonAsync);
        app.MapPost(AccountsRoutes.Renew, RenewAsync);
        app.MapPost(AccountsRoutes.Mark, MarkAsync);
        app.MapGet(AccountsRoutes.OpenAccounts, ListOpenAsync);
    }

    private static async Task<Results<Ok<CheckedKey>, NotFound, StatusCodeHttpResult>> CheckKeyAsync(
        CheckKeyRequest request, AccountDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            var key = (await directory.GetLatestAsync(cancellationToken)).FindKeyByHash(request.KeyHash);
            return key?.IsValidAt(time.GetUtcNow()) == true ? TypedResults.Ok(new CheckedKey(key.Key, key.Name)) : TypedResults.NotFound();
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<Ok<KeyGrantsResponse>, BadRequest, StatusCodeHttpResult>> ListGrantsAsync(
        KeyGrantsRequest request, AccountDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        if (request.KeyIds.Count > AccountsRoutes.MaxTurns)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            var snapshot = await directory.GetLatestAsync(cancellationToken);
            var now = time.GetUtcNow();
            return TypedResults.Ok(new KeyGrantsResponse(
                [.. request.KeyIds.Select(snapshot.FindKey).OfType<ApiKey>().Where(key => key.IsValidAt(now)).Select(key => new KeyGrant(key.Key, key.Models, key.Accounts))]));
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<Ok<AdmissionResponse>, StatusCodeHttpResult>> AdmitAsync(
        AdmissionRequest request, Admissions admissions, CancellationToken cancellationToken)
    {
        try
        {
            return TypedResults.Ok(await admissions.AdmitAsync(request, cancellationToken));
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<NoContent, StatusCodeHttpResult>> AbandonAsync(AbandonRequest request, SlotLeases slots, SlotWaiters waiters)
    {
        try
        {
            if (await slots.FindAsync(request.TurnId) is { } lease)
            {
                waiters.Freed(await slots.ReleaseAsync([lease]));
            }
            return TypedResults.NoContent();
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<Ok<RenewResponse>, StatusCodeHttpResult>> RenewAsync(RenewRequest request, SlotLeases slots)
    {
        try
        {
            return TypedResults.Ok(new RenewResponse(await slots.RenewAsync(request.Leases)));
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<NoContent, BadRequest, StatusCodeHttpResult>> MarkAsync(
        MarkRequest request, AccountStore accounts, AccountDirectory directory, CancellationToken cancellationToken)
    {
        if (!Guid.TryParseExact(request.AccountId, "N", out var id) || request.Model is { Length: 0 or > MarkRequest.LongestModel })
        {
            return TypedResults.BadRequest();
        }
        try
        {
            var hasChanged = request.OnlyWebSockets ? await accounts.RefuseWebSocketsAsync(id, request.Until, cancellationToken)
                : request.Model is { } model ? await accounts.CoolAsync(id, model, request.Until, request.Reason, cancellationToken)
                : await accounts.CoolAsync(id, request.Until, request.Reason, cancellationToken);
            if (hasChanged)
            {
                await directory.ChangedAsync(cancellationToken);
            }
            return TypedResults.NoContent();
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<Results<Ok<OpenAccountsResponse>, StatusCodeHttpResult>> ListOpenAsync(
        string keyId, AccountDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            var snapshot = await directory.GetLatestAsync(cancellationToken);
            var key = snapshot.FindKey(keyId);
            var now = time.GetUtcNow();
            if (keyId != AccountsRoutes.Anonymous && key?.IsValidAt(now) != true)
            {
                return TypedResults.Ok(new OpenAccountsResponse([], [], SoleKey: false));
            }
            return TypedResults.Ok(new OpenAccountsResponse(
                [.. snapshot.Accounts.Where(account => Candidates.IsOpenTo(account, key)).Select(account => account.Admit(leaseSeconds: 0, now))],
                key?.Models.ToArray() ?? ["*"],
                // Callers without a key are one more identity beside the keys.
                SoleKey: snapshot.Keys.Count(other => other.IsValidAt(now)) + (keyId == AccountsRoutes.Anonymous ? 1 : 0) <= 1));
        }
        catch (Exception exception) when (IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }

    internal static bool IsStoreAway(Exception exception) =>
        exception is RedisException or NpgsqlException or TimeoutException or System.Net.Sockets.SocketException;
}
