using Proxy.Continuity.Contracts;
using StackExchange.Redis;

namespace Proxy.Continuity.Sessions;

/// <summary>Claims on sessions, and what they have come to. While Redis is away each call is 503.</summary>
internal static class SessionEndpoints
{
    public static void MapSessions(this IEndpointRouteBuilder app)
    {
        app.MapPost(ContinuityRoutes.ClaimSession, ClaimAsync);
        app.MapPost(ContinuityRoutes.FindSession, FindAsync);
        app.MapPost(ContinuityRoutes.WriteSession, WriteAsync);
        app.MapPost(ContinuityRoutes.RenewSessions, RenewAsync);
        app.MapPost(ContinuityRoutes.ReleaseSessions, ReleaseAsync);
    }

    private static Task<IResult> ClaimAsync(ClaimSessionRequest request, SessionRecords records, ContinuityMetrics metrics) => AnswerAsync([request.Session], async () =>
    {
        var answer = await records.ClaimAsync(request);
        metrics.CountClaim(answer.Holder == request.Holder ? "claimed" : "held");
        return TypedResults.Ok(answer);
    });

    private static Task<IResult> FindAsync(FindSessionRequest request, SessionRecords records) =>
        AnswerAsync([request.Session], async () => TypedResults.Ok(await records.FindAsync(request.Session)));

    private static Task<IResult> WriteAsync(WriteSessionRequest request, SessionRecords records, ContinuityMetrics metrics) => AnswerAsync([request.Claim.Session], async () =>
    {
        if (await records.WriteAsync(request))
        {
            return TypedResults.NoContent();
        }
        metrics.CountFenced("write");
        return TypedResults.Conflict();
    });

    private static Task<IResult> RenewAsync(RenewSessionsRequest request, SessionRecords records, ContinuityMetrics metrics) => AnswerAsync(
        [.. request.Sessions.Select(session => session.Claim.Session)],
        async () =>
        {
            var renewed = await Task.WhenAll(request.Sessions.Select(records.RenewAsync));
            string[] lost = [.. request.Sessions.Where((_, index) => !renewed[index]).Select(session => session.Claim.Session)];
            foreach (var _ in lost)
            {
                metrics.CountFenced("renew");
            }
            return TypedResults.Ok(new RenewSessionsResponse(lost));
        });

    private static Task<IResult> ReleaseAsync(ReleaseSessionsRequest request, SessionRecords records) => AnswerAsync([.. request.Claims.Select(claim => claim.Session)], async () =>
    {
        await Task.WhenAll(request.Claims.Select(records.ReleaseAsync));
        return TypedResults.NoContent();
    });

    private static async Task<IResult> AnswerAsync(IReadOnlyList<string> sessions, Func<Task<IResult>> answer)
    {
        if (sessions.Count > ContinuityRoutes.MaxSessions || !sessions.All(SessionRecords.IsName))
        {
            return TypedResults.BadRequest();
        }
        try
        {
            return await answer();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }
    }
}
