using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Selection;

namespace Proxy.Accounts.Quotas;

/// <summary>Settling turns.</summary>
internal static class SettleEndpoints
{
    public static void MapSettling(this IEndpointRouteBuilder app) => app.MapPost(AccountsRoutes.Settle, SettleAsync);

    private static async Task<Results<NoContent, BadRequest, StatusCodeHttpResult>> SettleAsync(SettleRequest request, TurnLedger ledger, CancellationToken cancellationToken)
    {
        if (request.Turns.Count > AccountsRoutes.MaxTurns)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            await ledger.SettleAsync(request.Turns, cancellationToken);
            return TypedResults.NoContent();
        }
        catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }
}
