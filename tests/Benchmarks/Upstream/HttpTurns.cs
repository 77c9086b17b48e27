using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Benchmarks.Upstream;

/// <summary>Turns over HTTP.</summary>
internal sealed class HttpTurns(Answers answers, ResponseIds ids)
{
    /// <summary>Between two deltas of a paced stream.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    /// <summary>Answers one.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        var kind = await ReadKindAsync(context.Request.BodyReader, context.RequestAborted);
        var id = new byte[ResponseIds.Length];
        ids.Next(id);
        var response = context.Response;
        if (kind == TurnKind.Json)
        {
            response.ContentType = "application/json";
            response.ContentLength = answers.Json.Length;
            await WriteAsync(response.BodyWriter, answers.Json, id, context.RequestAborted);
            return;
        }
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        try
        {
            await StreamAsync(response.BodyWriter, kind, id, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has left, as those of silent streams do.
        }
    }

    private async Task StreamAsync(PipeWriter writer, TurnKind kind, byte[] id, CancellationToken cancellationToken)
    {
        var events = kind == TurnKind.Burst ? answers.Burst : answers.Paced;
        await WriteAsync(writer, events[0], id, cancellationToken);
        if (kind == TurnKind.Silent)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        using var pace = kind == TurnKind.Paced ? new PeriodicTimer(Pace) : null;
        for (var number = 1; number < events.Length; number++)
        {
            if (pace is not null)
            {
                await pace.WaitForNextTickAsync(cancellationToken);
            }
            // One flush for each, as the API does.
            await WriteAsync(writer, events[number], id, cancellationToken);
        }
    }

    private static async Task<TurnKind> ReadKindAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            if (read.IsCompleted)
            {
                var kind = read.Buffer.IsSingleSegment ? TurnKinds.Of(read.Buffer.FirstSpan) : TurnKinds.Of(System.Buffers.BuffersExtensions.ToArray(read.Buffer));
                reader.AdvanceTo(read.Buffer.End);
                return kind;
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static ValueTask<FlushResult> WriteAsync(PipeWriter writer, Template template, byte[] id, CancellationToken cancellationToken)
    {
        template.Write(id, writer.GetSpan(template.Length));
        writer.Advance(template.Length);
        return writer.FlushAsync(cancellationToken);
    }
}
