using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Answers;
using Proxy.Edge.Callers;
using Proxy.Edge.Http;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Turns;
using Testing;

namespace Proxy.Edge.Tests.Http;

/// <summary>What it costs to pass an event on: the whole way from upstream's stream to the client's body, and not only its scanning.</summary>
public sealed class RelayCostTests
{
    private const string Delta = """{"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hello"}""";

    [Fact]
    public async Task A_delta_that_is_relayed_allocates_nothing()
    {
        await using var edge = await RunningEdge.StartAsync();
        // Code that is not optimised yet allocates more. What is left is of the reads, each of which brings eighty deltas.
        await Eventually.GetAsync(() => Task.FromResult(Relay(edge, deltas: 101_000) - Relay(edge, deltas: 1_000)), bytes => bytes < 100_000);
    }

    // In bytes. Nothing has to be waited for, so that all is done by this thread.
    private static long Relay(RunningEdge edge, int deltas)
    {
        var services = edge.Services;
        var turn = new Turn(new AcceptedRequest(
            Guid.CreateVersion7(), DateTimeOffset.UnixEpoch, edge.Time.GetTimestamp(), new TurnRequest { Stream = true }, Caller.Anonymous, new TurnScope(null, null), "http_stream"));
        turn.Admit(new Admitted(new AdmittedAccount("acc-a", "a", "http://a", "dom-a", WebSockets: false, Lanes: false, CredentialKind.Bearer, "token", LeaseSeconds: 15)));
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseFeature>(new Started());
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
        using var deadline = services.GetRequiredService<TurnDeadlines>().For(turn, CancellationToken.None);
        using var limits = deadline.BeginAttempt();
        using var response = new HttpResponseMessage();
        var attempt = turn.BeginAttempt();
        var stream = new RelayedStream(
            services.GetRequiredService<TurnEvents>(), services.GetRequiredService<TurnRecovery>(), maxEventBytes: 1 << 20,
            new HttpAnswer(context, turn, TimeSpan.FromSeconds(10), edge.Time), attempt, response, new SseReader(new Events(deltas)), limits);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var relaying = stream.RelayAsync();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(relaying.IsCompletedSuccessfully);
        // It was cut off: there is no terminal event.
        Assert.Equal(SignalKind.Broken, relaying.Result?.Kind);
        Assert.Equal(deltas, attempt.Response.Deltas);
        return allocated;
    }

    private sealed class Started : HttpResponseFeature
    {
        public override bool HasStarted => true;
    }

    // The same event over and over, in reads that end anywhere.
    private sealed class Events(int count) : Stream
    {
        private static readonly byte[] One = Encoding.UTF8.GetBytes($"event: response.output_text.delta\ndata: {Delta}\n\n");

        private long _left = (long)count * One.Length;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = (int)Math.Min(buffer.Length, _left);
            for (var written = 0; written < read;)
            {
                var at = (int)(((long)count * One.Length - _left) % One.Length);
                var part = One.AsSpan(at, Math.Min(One.Length - at, read - written));
                part.CopyTo(buffer.Span[written..]);
                (written, _left) = (written + part.Length, _left - part.Length);
            }
            return ValueTask.FromResult(read);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();
    }
}
