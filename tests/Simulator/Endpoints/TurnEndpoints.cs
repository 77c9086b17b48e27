using Simulator.Accounts;
using Simulator.Responses;
using Simulator.Scripts;
using Simulator.Sockets;
using Simulator.Turns;

namespace Simulator.Endpoints;

/// <summary><c>/responses</c>: a turn over HTTP, or the handshake of a WebSocket that carries many.</summary>
internal sealed class TurnEndpoints(Simulation simulation, SocketEndpoint sockets, CancellationToken stopping)
{
    private readonly TurnPlayer _player = new(simulation.Gate, simulation.Time);

    public void Map(IEndpointRouteBuilder api)
    {
        api.MapPost("/responses", CreateAsync).WithMetadata(new RunsTurns());
        api.MapGet("/responses", sockets.AcceptAsync).WithMetadata(new RunsTurns());
    }

    private async Task CreateAsync(HttpContext context)
    {
        var (account, exchange) = (context.Caller().Account, context.Caller().Exchange);
        exchange.Turn = account.Next(Surface.Http);
        var (request, error) = TurnRequest.Parse(exchange.Body);
        if (request is null)
        {
            await context.ErrorAsync(error!);
            return;
        }

        var rule = simulation.Script.Take(new Occasion(Surface.Http, account.Token, exchange.Turn.Value, context.Request.Method, exchange.Path)
        {
            Model = request.Model,
            FollowUp = request.PreviousResponseId is not null,
            Prewarm = !request.Generate,
            Body = request.Body,
        });
        if (rule.ChecksDemands && Demands.Check(request, account.Organisation, static _ => false) is { } unmet)
        {
            await context.ErrorAsync(unmet);
            return;
        }

        var turn = new Turn(account, request, rule, simulation.Time.GetUtcNow());
        exchange.Made(turn.Id);
        if (request.Background && rule.Steps is not [StatusStep, ..])
        {
            await StartBackgroundAsync(context, turn);
            return;
        }

        ITurnOutput output = request.Stream ? new SseOutput(context) : new JsonOutput(context);
        await _player.PlayAsync(turn, output, context.RequestAborted);
    }

    /// <summary>The turn runs on without the request; what the client gets now is its beginning.</summary>
    private async Task StartBackgroundAsync(HttpContext context, Turn turn)
    {
        var cancellation = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var log = new BackgroundOutput(cancellation);
        var stored = new StoredResponse(turn.Id, turn.Request.Input, turn.ContextItems)
        {
            Json = ResponseObject.Write(turn, "queued"),
            Background = log,
        };
        turn.Account.Organisation.Responses.Put(turn.Id, stored);
        var queued = stored.Json;
        log.Run(stored, async () =>
        {
            try
            {
                await _player.PlayAsync(turn, log, cancellation.Token);
            }
            catch (OperationCanceledException)
            {
                stored.Json = ResponseObject.Write(turn, "cancelled");
            }
            finally
            {
                log.Close();
            }
        });
        AnswerHeaders.Apply(context.Response, turn);
        await (turn.Request.Stream ? ResponsesEndpoints.FollowAsync(context, log, -1) : context.JsonAsync(queued));
    }
}
