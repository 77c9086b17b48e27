using Simulator.Accounts;
using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>A response in one piece: events pass by, and what the terminal one says is the body.</summary>
internal sealed class JsonOutput(HttpContext context) : ITurnOutput
{
    private bool _answered;

    public bool TerminalIsEnd => true;

    public ValueTask StartAsync(Turn turn, CancellationToken cancellationToken)
    {
        context.Response.ContentType = "application/json";
        AnswerHeaders.Apply(context.Response, turn);
        return ValueTask.CompletedTask;
    }

    public async ValueTask SendAsync(TurnEvent turnEvent, CancellationToken cancellationToken)
    {
        if (_answered)
        {
            return;
        }

        if (turnEvent is { IsTerminal: true, Response: { } response })
        {
            _answered = true;
            context.Response.ContentLength = response.Length;
            await context.Response.BodyWriter.WriteAsync(response, cancellationToken);
        }
        else if (turnEvent.Type == "error")
        {
            _answered = true;
            context.Response.StatusCode = 500;
            await context.Response.BodyWriter.WriteAsync(
                new ApiError(500, "server_error", "Scripted error.", null, "server_error").Envelope(), cancellationToken);
        }
    }

    public async ValueTask SendRawAsync(string text, bool binary, CancellationToken cancellationToken)
    {
        _answered = true;
        await context.Response.WriteAsync(text, cancellationToken);
    }

    public ValueTask PingAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask RefuseAsync(StatusStep refusal, CancellationToken cancellationToken) =>
        Refusal.WriteAsync(context, refusal, cancellationToken);

    public async ValueTask EndAsync(CloseStep? close, CancellationToken cancellationToken) => await context.Response.CompleteAsync();

    public void Cut() => context.Caller().Abort();
}
