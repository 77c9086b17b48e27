using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Proxy.Continuity.Contracts;

namespace Proxy.Continuity.RequestLogs;

/// <summary>Intake of log rows.</summary>
internal static class RequestLogEndpoints
{
    public static void MapRequestLogs(this IEndpointRouteBuilder app) => app.MapPost(ContinuityRoutes.RequestLogs, IngestAsync);

    private static async Task<Results<Ok<IntakeResponse>, BadRequest, StatusCodeHttpResult>> IngestAsync(
        IntakeRequest request, RequestLogIntake intake, CancellationToken cancellationToken)
    {
        if (request.Rows.Count > ContinuityRoutes.MaxRows)
        {
            return TypedResults.BadRequest();
        }
        try
        {
            return TypedResults.Ok(new IntakeResponse(await intake.IngestAsync(request.Rows, cancellationToken)));
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }
}
