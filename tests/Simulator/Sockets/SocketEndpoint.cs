using System.Net.WebSockets;
using Simulator.Accounts;
using Simulator.Responses;
using Simulator.Scripts;
using Simulator.Turns;

namespace Simulator.Sockets;

/// <summary>Turns a GET into a WebSocket, unless the script refuses, stalls or cuts the handshake.</summary>
internal sealed class SocketEndpoint(Simulation simulation)
{
    public async Task AcceptAsync(HttpContext context)
    {
        if (!SocketHandshake.IsAsked(context))
        {
            await Refusal.WriteAsync(context, new ApiError(405, "method_not_allowed", "Not allowed to GET on /v1/responses."), context.RequestAborted);
            return;
        }

        var (account, exchange) = (context.Caller().Account, context.Caller().Exchange);
        exchange.IsWebSocket = true;
        var rule = simulation.Script.Take(new Occasion(
            Surface.Upgrade, account.Token, account.Next(Surface.Upgrade), context.Request.Method, exchange.Path));
        if (!await Interception.PassesAsync(rule, context, simulation))
        {
            return;
        }

        if (rule.Answer.TurnState is { } state)
        {
            context.Response.Headers["x-codex-turn-state"] = state;
        }

        exchange.Status = StatusCodes.Status101SwitchingProtocols;
        var stream = await SocketHandshake.AcceptAsync(context);
        using var socket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true });
        await using var connection = new SocketConnection(context.Caller(), socket, stream, simulation);
        account.Closed(context.Caller());
        account.Opened(connection);
        try
        {
            await connection.RunAsync(context.RequestAborted);
        }
        finally
        {
            account.Closed(connection);
        }
    }
}
