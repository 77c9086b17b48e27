using System.Text.Json;
using System.Text.Json.Nodes;
using Simulator.Recording;
using Simulator.Responses;
using Simulator.Scripts;
using Simulator.Turns;

namespace Simulator.Endpoints;

/// <summary><c>/_sim</c>: the script and the record for those who are not in the same process. Nothing here is part of the API.</summary>
internal sealed class ControlEndpoints(Simulation simulation)
{
    public void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/_sim/rules", AddRulesAsync);
        app.MapGet("/_sim/rules", context => context.Response.WriteAsJsonAsync(
            simulation.Script.Rules.Select(entry => new { entry.Rule, entry.Used }), Script.Json, context.RequestAborted));
        app.MapDelete("/_sim/rules", context => DoAsync(context, simulation.Script.Clear));
        app.MapGet("/_sim/recorded", RecordedAsync);
        app.MapDelete("/_sim/recorded", context => DoAsync(context, simulation.Record.Clear));
        app.MapGet("/_sim/concurrency", ConcurrencyAsync);
        app.MapPost("/_sim/release", context => DoAsync(context, simulation.Gate.Release));
        app.MapPost("/_sim/kill", context => DoAsync(context, () => simulation.Kill(context.Request.Query["account"])));
        app.MapPost("/_sim/close", CloseAsync);
        app.MapPost("/_sim/accounts", AccountsAsync);
    }

    private static Task DoAsync(HttpContext context, Action action)
    {
        action();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private async Task AddRulesAsync(HttpContext context)
    {
        try
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, default, context.RequestAborted);
            var rules = body.RootElement.ValueKind == JsonValueKind.Array
                ? body.Deserialize<Rule[]>(Script.Json)!
                : [body.Deserialize<Rule>(Script.Json)!];
            simulation.Script.Add(rules);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }
        catch (Exception malformed) when (malformed is JsonException or NotSupportedException)
        {
            await Refusal.WriteAsync(context, ApiError.Invalid(malformed.Message), context.RequestAborted);
        }
    }

    private Task RecordedAsync(HttpContext context)
    {
        var account = context.Request.Query["account"].ToString();
        var exchanges = simulation.Record.All.Where(exchange => account.Length == 0 || exchange.Account == account);
        return context.JsonAsync(new JsonArray([.. exchanges.Select(Describe)]));
    }

    private static JsonNode Describe(Exchange exchange) => new JsonObject
    {
        ["at"] = exchange.StartedAt,
        ["endedAt"] = exchange.EndedAt,
        ["method"] = exchange.Method,
        ["path"] = exchange.Path,
        ["query"] = exchange.Query,
        ["account"] = exchange.Account,
        ["turn"] = exchange.Turn,
        ["webSocket"] = exchange.IsWebSocket,
        ["headers"] = new JsonArray([.. exchange.Headers.Select(header => (JsonNode)new JsonArray(header.Key, header.Value))]),
        ["rawBody"] = Convert.ToBase64String(exchange.RawBody.Span),
        ["body"] = System.Text.Encoding.UTF8.GetString(exchange.Body.Span),
        ["status"] = exchange.Status,
        ["clientAborted"] = exchange.ClientAborted,
        ["clientCloseCode"] = exchange.ClientCloseCode,
        ["serverCloseCode"] = exchange.ServerCloseCode,
        ["responseIds"] = new JsonArray([.. exchange.ResponseIds.Select(id => (JsonNode)id)]),
        ["frames"] = new JsonArray([.. exchange.Frames.Select(frame => (JsonNode)new JsonObject
        {
            ["from"] = frame.FromClient ? "client" : "server",
            ["at"] = frame.At,
            ["turn"] = frame.Turn,
            ["text"] = frame.Text,
        })]),
    };

    private Task ConcurrencyAsync(HttpContext context)
    {
        var answer = new JsonObject { ["stalled"] = simulation.Gate.Waiting };
        var accounts = new JsonObject();
        foreach (var account in simulation.Accounts.All)
        {
            accounts[account.Token] = new JsonObject
            {
                ["current"] = account.InFlight,
                ["peak"] = account.Peak,
                ["turns"] = account.Turns,
                ["sockets"] = account.OpenSockets,
            };
        }

        answer["accounts"] = accounts;
        return context.JsonAsync(answer);
    }

    /// <summary>Closes idle and busy WebSockets alike: <c>?account=&amp;code=</c>.</summary>
    private async Task CloseAsync(HttpContext context)
    {
        var code = int.TryParse(context.Request.Query["code"], out var asked) ? asked : 1000;
        await simulation.CloseSocketsAsync(context.Request.Query["account"], code, context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private sealed record AccountSettings(string[]? Tokens = null, Dictionary<string, string[]>? Organisations = null);

    /// <summary><c>{"tokens":["only","these"],"organisations":{"org-a":["tok1","tok2"]}}</c></summary>
    private async Task AccountsAsync(HttpContext context)
    {
        var settings = await JsonSerializer.DeserializeAsync<AccountSettings>(context.Request.Body, Script.Json, context.RequestAborted);
        simulation.Accounts.Allowed = settings?.Tokens;
        foreach (var (name, tokens) in settings?.Organisations ?? [])
        {
            simulation.Accounts.Organisation(name, tokens);
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
