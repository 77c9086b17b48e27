using System.Text;
using Simulator.Accounts;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>A <c>text/event-stream</c> body, flushed after every event as the API does.</summary>
internal sealed class SseOutput(HttpContext context) : ITurnOutput
{
    public bool TerminalIsEnd => false;

    public async ValueTask StartAsync(Turn turn, CancellationToken cancellationToken)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";
        AnswerHeaders.Apply(context.Response, turn);
        await context.Response.StartAsync(cancellationToken);
    }

    public async ValueTask SendAsync(TurnEvent turnEvent, CancellationToken cancellationToken)
    {
        Write(turnEvent);
        await context.Response.BodyWriter.FlushAsync(cancellationToken);
    }

    public async ValueTask SendRawAsync(string text, bool binary, CancellationToken cancellationToken) =>
        await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(text), cancellationToken);

    public ValueTask PingAsync(CancellationToken cancellationToken) => SendRawAsync(": ping\n\n", binary: false, cancellationToken);

    public ValueTask RefuseAsync(StatusStep refusal, CancellationToken cancellationToken) =>
        Refusal.WriteAsync(context, refusal, cancellationToken);

    public async ValueTask EndAsync(CloseStep? close, CancellationToken cancellationToken) => await context.Response.CompleteAsync();

    public void Cut() => context.Caller().Abort();

    private void Write(TurnEvent turnEvent)
    {
        var writer = context.Response.BodyWriter;
        var span = writer.GetSpan(turnEvent.Type.Length + turnEvent.Json.Length + 24);
        var length = Append(span, "event: "u8);
        length += Encoding.UTF8.GetBytes(turnEvent.Type, span[length..]);
        length += Append(span[length..], "\ndata: "u8);
        if (turnEvent.Json.AsSpan().Contains((byte)'\n'))
        {
            // A payload of several lines is several data lines, which the reader joins again.
            writer.Advance(length);
            var text = Encoding.UTF8.GetString(turnEvent.Json).ReplaceLineEndings("\n").Replace("\n", "\ndata: ", StringComparison.Ordinal);
            Encoding.UTF8.GetBytes(text + "\n\n", writer);
            return;
        }

        length += Append(span[length..], turnEvent.Json);
        length += Append(span[length..], "\n\n"u8);
        writer.Advance(length);
    }

    private static int Append(Span<byte> to, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(to);
        return bytes.Length;
    }
}
