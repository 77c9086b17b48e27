using Simulator.Accounts;
using Simulator.Recording;
using Simulator.Responses;
using Simulator.Scripts;
using Simulator.Turns;

namespace Simulator.Endpoints;

/// <summary>Marks endpoints that run turns, which apply the script themselves.</summary>
internal sealed class RunsTurns;

/// <summary>What happens to every API request before its endpoint: it is read, decoded, recorded, authenticated, and met by the script.</summary>
internal sealed class Intake(RequestDelegate next, Simulation simulation)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (request.Path.StartsWithSegments("/_sim") || request.Path == "/health" || HttpMethods.IsHead(request.Method))
        {
            await next(context);
            return;
        }

        var exchange = new Exchange
        {
            StartedAt = simulation.Time.GetUtcNow(),
            Method = request.Method,
            Path = request.Path.Value ?? "",
            Query = request.QueryString.Value ?? "",
            Headers = [.. request.Headers.SelectMany(header => header.Value, (header, value) => KeyValuePair.Create(header.Key, value ?? ""))],
        };
        var account = simulation.Accounts.Authenticate(request);
        exchange.Account = account?.Token;
        context.Response.Headers["x-request-id"] = Ids.Request();
        var caller = account is null ? null : new Caller(context, account, exchange);
        try
        {
            var decoded = await ReadBodyAsync(request, exchange, context.RequestAborted);
            simulation.Record.Add(exchange);
            if (caller is null)
            {
                await Refusal.WriteAsync(context, Unauthorized(request), context.RequestAborted);
            }
            else if (!decoded)
            {
                await Refusal.WriteAsync(context, ApiError.Invalid("The request body could not be decoded."), context.RequestAborted);
            }
            else
            {
                context.Features.Set(caller);
                caller.Account.Opened(caller);
                await ContinueAsync(context, caller);
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested)
        {
            // Before the end, that is: Codex may leave as soon as it has the terminal event.
            exchange.ClientAborted = caller is not { WasCut: true };
        }
        finally
        {
            caller?.Account.Closed(caller);
            exchange.Status ??= context.Response.StatusCode;
            exchange.EndedAt = simulation.Time.GetUtcNow();
        }
    }

    private async Task ContinueAsync(HttpContext context, Caller caller)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<RunsTurns>() is null)
        {
            var rule = simulation.Script.Take(new Occasion(
                Surface.Request, caller.Account.Token, caller.Account.Next(Surface.Request), context.Request.Method, caller.Exchange.Path)
            {
                Body = caller.Exchange.Body,
            });
            if (!await Interception.PassesAsync(rule, context, simulation))
            {
                return;
            }
        }

        await next(context);
    }

    private static async Task<bool> ReadBodyAsync(HttpRequest request, Exchange exchange, CancellationToken cancellationToken)
    {
        if (request.ContentLength is null or 0 && request.Headers.TransferEncoding.Count == 0)
        {
            return true;
        }

        var buffer = new MemoryStream((int)(request.ContentLength ?? 0));
        await request.Body.CopyToAsync(buffer, cancellationToken);
        exchange.RawBody = exchange.Body = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        if (await ContentCoding.DecodeAsync(exchange.RawBody, request.Headers.ContentEncoding, cancellationToken) is not { } body)
        {
            return false;
        }

        exchange.Body = body;
        request.Body = new MemoryStream(body.ToArray());
        return true;
    }

    private static ApiError Unauthorized(HttpRequest request) =>
        request.Headers.Authorization.Count == 0 && request.Headers["api-key"].Count == 0
            ? new ApiError(401, null, "Missing bearer authentication in header")
            : new ApiError(401, "invalid_api_key", "Incorrect API key provided.");
}
