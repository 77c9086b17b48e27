using System.Text.Json.Nodes;
using Simulator.Accounts;
using Simulator.Responses;
using Simulator.Turns;

namespace Simulator.Endpoints;

/// <summary>Everything under <c>/responses</c> but the making of one.</summary>
internal sealed class ResponsesEndpoints(Simulation simulation)
{
    public void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/responses/{id}", GetAsync);
        api.MapDelete("/responses/{id}", DeleteAsync);
        api.MapPost("/responses/{id}/cancel", CancelAsync);
        api.MapGet("/responses/{id}/input_items", InputItemsAsync);
        api.MapPost("/responses/compact", CompactAsync);
        api.MapPost("/responses/input_tokens", InputTokensAsync);
    }

    private static bool Find(HttpContext context, out string id, out StoredResponse found)
    {
        id = context.Route("id");
        return context.Caller().Account.Organisation.Responses.TryGet(id, out found!);
    }

    private static async Task GetAsync(HttpContext context)
    {
        if (!Find(context, out var id, out var response))
        {
            await context.ErrorAsync(ApiError.ResponseNotFound(id));
        }
        else if (context.Request.Query["stream"] != "true")
        {
            await context.JsonAsync(response.Json);
        }
        else if (response.Background is not { } log)
        {
            // Only background streams can be resumed.
            await context.ErrorAsync(ApiError.ResponseNotFound(id));
        }
        else
        {
            var after = int.TryParse(context.Request.Query["starting_after"], out var number) ? number : -1;
            await FollowAsync(context, log, after);
        }
    }

    public static async Task FollowAsync(HttpContext context, BackgroundOutput log, int startingAfter)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        await context.Response.StartAsync(context.RequestAborted);
        var body = new SseOutput(context);
        await foreach (var turnEvent in log.FollowAsync(startingAfter, context.RequestAborted))
        {
            await body.SendAsync(turnEvent, context.RequestAborted);
        }
    }

    private static Task DeleteAsync(HttpContext context)
    {
        var id = context.Route("id");
        return context.Caller().Account.Organisation.Responses.Remove(id)
            ? context.JsonAsync(new JsonObject { ["id"] = id, ["object"] = "response", ["deleted"] = true })
            : context.ErrorAsync(ApiError.ResponseNotFound(id));
    }

    private static async Task CancelAsync(HttpContext context)
    {
        if (!Find(context, out var id, out var response))
        {
            await context.ErrorAsync(ApiError.ResponseNotFound(id));
        }
        else if (response.Background is not { } background)
        {
            await context.ErrorAsync(ApiError.Invalid("Cannot cancel a synchronous response."));
        }
        else
        {
            await background.CancelAsync();
            await context.JsonAsync(response.Json);
        }
    }

    private static Task InputItemsAsync(HttpContext context) =>
        Find(context, out var id, out var response)
            ? context.PageAsync(response.Input)
            : context.ErrorAsync(ApiError.ResponseNotFound(id));

    private async Task CompactAsync(HttpContext context)
    {
        var (organisation, body) = (context.Caller().Account.Organisation, context.Caller().Exchange.Body);
        var (request, error) = TurnRequest.Parse(body);
        error ??= Demands.Check(request!, organisation, static _ => false);
        if (error is not null)
        {
            await context.ErrorAsync(error);
            return;
        }

        await context.JsonAsync(new JsonObject
        {
            ["id"] = Ids.Response(),
            ["object"] = "response.compaction",
            ["created_at"] = simulation.Time.GetUtcNow().ToUnixTimeSeconds(),
            ["output"] = new JsonArray(new JsonObject
            {
                ["id"] = Ids.Compaction(),
                ["type"] = "compaction",
                ["encrypted_content"] = EncryptedContent.Mint(organisation),
            }),
            ["usage"] = Usage(body.Length),
        });
    }

    private static async Task InputTokensAsync(HttpContext context)
    {
        var body = context.Caller().Exchange.Body;
        var (request, error) = TurnRequest.Parse(body);
        error ??= Demands.Check(request!, context.Caller().Account.Organisation, static _ => false);
        await (error is null
            ? context.JsonAsync(new JsonObject { ["object"] = "response.input_tokens", ["input_tokens"] = (body.Length / 4) + 1 })
            : context.ErrorAsync(error));
    }

    private static JsonObject Usage(int bytes)
    {
        var input = (bytes / 4) + 1;
        return new JsonObject
        {
            ["input_tokens"] = input,
            ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = 0 },
            ["output_tokens"] = 32,
            ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = 0 },
            ["total_tokens"] = input + 32,
        };
    }
}
