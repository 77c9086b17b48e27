using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery.Randomised;

/// <summary>A client with a WebSocket, which it opens again when it is gone, and one to three lanes on it.</summary>
internal sealed class SocketClient(RunningEdge edge, PlannedClient plan, Seen seen) : IDisposable
{
    private readonly SemaphoreSlim _connecting = new(1, 1);
    private Session? _session;

    public async Task RunAsync()
    {
        await Task.WhenAll(plan.Lanes.Select(lane => RunAsync(lane.Lane, lane.Turns)));
        if (_session is { } session)
        {
            await session.CloseAsync();
        }
    }

    public void Dispose()
    {
        _session?.Dispose();
        _connecting.Dispose();
    }

    private async Task RunAsync(string? lane, IReadOnlyList<PlannedTurn> turns)
    {
        string? own = null;
        foreach (var turn in turns)
        {
            var session = await SessionAsync();
            var events = session.Begin(lane, turn);
            var anchor = seen.AnchorOf(turn, own);
            if (!await session.SendAsync(Asking.Frame(turn.Marker, lane, turn.Store, anchor, $",\"client_metadata\":{{\"thread_id\":\"{turn.Thread}\"}}")))
            {
                seen.Ended(turn, session.HasLeft ? Ending.Left : Ending.Closed);
                continue;
            }
            if (turn.Leaving == Leaving.AtOnce)
            {
                session.Leave();
            }
            var got = new List<JsonNode>();
            await foreach (var json in events.ReadAllAsync())
            {
                if (json.Type() is "keepalive" or "codex.rate_limits")
                {
                    continue;
                }
                got.Add(json);
                if (turn.Leaving == Leaving.AfterTheFirstEvent)
                {
                    session.Leave();
                }
                if (Session.IsTerminal(json))
                {
                    break;
                }
            }
            session.End(lane);
            if (got.Count > 0 && Session.IsTerminal(got[^1]))
            {
                seen.Ended(turn, Ending.Terminal);
                own = seen.Check(turn, got) ?? own;
            }
            else
            {
                seen.Ended(turn, session.HasLeft ? Ending.Left : Ending.Closed);
                if (got.Count > 0 && !session.HasLeft)
                {
                    seen.Wrong(turn, "the socket was closed within the turn");
                }
            }
        }
    }

    private async Task<Session> SessionAsync()
    {
        await _connecting.WaitAsync();
        try
        {
            if (_session is not { IsOpen: true })
            {
                _session?.Dispose();
                var socket = await edge.ConnectAsAsync(plan.Codex);
                Assert.Equal(101, socket.Status);
                _session = new Session(socket, seen);
            }
            return _session;
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>One connection: hands what comes to the lane it is for.</summary>
    private sealed class Session : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly EdgeSocket _socket;
        private readonly Seen _seen;
        private readonly Dictionary<string, (PlannedTurn Turn, Channel<JsonNode> Events)> _running = [];
        private readonly SemaphoreSlim _sending = new(1, 1);
        private readonly Task _reading;
        private bool _over;

        public Session(EdgeSocket socket, Seen seen)
        {
            (_socket, _seen) = (socket, seen);
            _reading = ReadAsync();
        }

        public bool HasLeft { get; private set; }

        public bool IsOpen
        {
            get
            {
                lock (_lock)
                {
                    return !_over && !HasLeft;
                }
            }
        }

        public static bool IsTerminal(JsonNode json) => json.Type() is "response.completed" or "response.failed" or "response.incomplete" or "error";

        public ChannelReader<JsonNode> Begin(string? lane, PlannedTurn turn)
        {
            var events = Channel.CreateUnbounded<JsonNode>();
            lock (_lock)
            {
                _running[lane ?? ""] = (turn, events);
                if (_over)
                {
                    events.Writer.Complete();
                }
            }
            return events;
        }

        public void End(string? lane)
        {
            lock (_lock)
            {
                _running.Remove(lane ?? "");
            }
        }

        /// <returns>False if the socket is gone.</returns>
        public async Task<bool> SendAsync(string frame)
        {
            await _sending.WaitAsync();
            try
            {
                await _socket.SendAsync(frame);
                return true;
            }
            // Where another of the client's lanes has left meanwhile, its send is canceled.
            catch (Exception gone) when (gone is WebSocketException or ObjectDisposedException or IOException || (HasLeft && gone is OperationCanceledException))
            {
                return false;
            }
            finally
            {
                _sending.Release();
            }
        }

        public void Leave()
        {
            HasLeft = true;
            _socket.Raw.Abort();
        }

        public async Task CloseAsync()
        {
            if (IsOpen)
            {
                await _socket.Raw.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            }
            await _reading;
        }

        public void Dispose() => _socket.Dispose();

        private async Task ReadAsync()
        {
            try
            {
                while (await _socket.ReceiveAsync() is { } message)
                {
                    var json = JsonNode.Parse(message)!;
                    lock (_lock)
                    {
                        if (_running.TryGetValue(json.Lane() ?? "", out var running))
                        {
                            running.Events.Writer.TryWrite(json);
                            if (IsTerminal(json))
                            {
                                // The lane is free from here on: whatever else comes on it is nobody's.
                                _running.Remove(json.Lane() ?? "");
                                running.Events.Writer.Complete();
                            }
                        }
                        else if (json.Type() is not ("keepalive" or "codex.rate_limits"))
                        {
                            _seen.Wrong(null, $"for nobody: {message}");
                        }
                    }
                }
            }
            catch (Exception gone) when (gone is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                if (!HasLeft && gone is OperationCanceledException)
                {
                    _seen.Wrong(null, "a socket was silent for too long");
                }
            }
            lock (_lock)
            {
                _over = true;
                foreach (var (_, events) in _running.Values)
                {
                    events.Writer.TryComplete();
                }
            }
        }
    }
}
