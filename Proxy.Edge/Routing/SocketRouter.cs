using System.Collections.Concurrent;
using System.Net.WebSockets;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>What a router needs that all sockets share.</summary>
internal sealed record SocketServices(
    TurnAdmission Admission, TurnEvents Events, TurnJournal Journal, UpstreamConnector Connector, IOptions<EdgeOptions> Options, TimeProvider Time);

/// <summary>
/// One client's WebSocket: takes its frames, runs its turns on their lanes, and keeps one upstream socket for each account in use
/// (one for each lane where the account has no lanes). Whatever goes wrong with a frame or a turn is answered with an error frame;
/// the client's socket lives on.
/// </summary>
internal sealed class SocketRouter(SocketServices services, HttpRequest handshake, Caller caller, string path)
{
    private const int MaxNamedLanes = 32;
    private const int MaxInFlight = 16;
    private const string DefaultLane = "";

    private readonly ConcurrentDictionary<(string AccountId, string? Lane), UpstreamLink> _links = new();
    private readonly ConcurrentDictionary<Task, bool> _pumps = new();
    private readonly Dictionary<string, (Lane Lane, Task Running)> _lanes = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _inFlight = new(MaxInFlight);
    private readonly CancellationTokenSource _ended = new();
    private MessageSocket _client = null!;
    private volatile string? _currentAccountId;
    private int _runningTurns;

    /// <summary>Runs until the client leaves or the edge stops.</summary>
    /// <param name="eager">The upstream socket that was opened with the client's own upgrade, if any.</param>
    public async Task RunAsync(MessageSocket client, (AdmittedAccount Account, MessageSocket Socket)? eager, CancellationToken stopping)
    {
        _client = client;
        if (eager is { } first)
        {
            Link(first.Account, KeyOf(first.Account, DefaultLane), first.Socket);
            _currentAccountId = first.Account.Id;
        }
        using var stop = stopping.Register(() => _ended.Cancel());
        try
        {
            await ReceiveAllAsync();
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The edge stops, or upstream's end has ended this socket too.
        }
        finally
        {
            await _ended.CancelAsync();
            foreach (var (lane, _) in _lanes.Values)
            {
                lane.Complete();
            }
            await Task.WhenAll(_lanes.Values.Select(lane => lane.Running));
            await Task.WhenAll(_pumps.Keys);
            _ended.Dispose();
            _inFlight.Dispose();
        }
    }

    private async Task ReceiveAllAsync()
    {
        while (true)
        {
            await _client.WaitAsync(_ended.Token);
            var frame = new PooledBody(initialCapacity: 4096);
            var kind = await _client.ReceiveAsync(frame, _ended.Token);
            switch (kind)
            {
                case MessageKind.Closed:
                    frame.Dispose();
                    return;
                case MessageKind.Text:
                    await AcceptAsync(frame);
                    break;
                default:
                    frame.Dispose();
                    await TellAsync(kind == MessageKind.Binary ? Errors.BinaryFrame : Errors.TooLarge(services.Options.Value.MaxDecompressedBytes), streamId: null);
                    break;
            }
        }
    }

    // Takes over the frame.
    private async Task AcceptAsync(PooledBody frame)
    {
        var (request, error) = TurnRequestScanner.Scan(frame.Span);
        if (request is null || request.Type != WireTypes.Create)
        {
            using (frame)
            {
                await (request is null ? TellAsync(error!, streamId: null) : PassAsync(request, frame));
                return;
            }
        }
        var lane = LaneOf(request, out error);
        if (lane is not null)
        {
            var turn = services.Journal.Accept(request with { Stream = true }, caller, TurnScope.Of(handshake.Headers, request), Surfaces.WebSocket, frame.Length);
            var queued = new SocketTurn(turn, frame);
            if (lane.TryQueue(queued))
            {
                return;
            }
            await services.Events.EndAsync(turn, Errors.TooManyQueued, wasSent: false);
            error = Errors.TooManyQueued;
        }
        frame.Dispose();
        await TellAsync(error!, request.StreamId);
    }

    // Frames that are not turns (steering, and whatever comes next) go where their lane's turns go.
    private async Task PassAsync(TurnRequest request, PooledBody frame)
    {
        var link = _links.Values.FirstOrDefault(link => !link.IsClosed && link.Account.Id == _currentAccountId);
        if (link is not null && _links.TryGetValue(KeyOf(link.Account, request.StreamId ?? DefaultLane), out var own) && !own.IsClosed)
        {
            await own.PassAsync(frame.Memory, _ended.Token);
        }
    }

    private Lane? LaneOf(TurnRequest request, out ApiError? error)
    {
        error = null;
        if (request.StreamId is { } streamId && !StreamIds.IsValid(streamId))
        {
            error = Errors.InvalidStreamId;
            return null;
        }
        var name = request.StreamId ?? DefaultLane;
        if (_lanes.TryGetValue(name, out var known))
        {
            return known.Lane;
        }
        if (_lanes.Keys.Count(other => other.Length > 0) >= MaxNamedLanes && name.Length > 0)
        {
            error = Errors.TooManyLanes(MaxNamedLanes);
            return null;
        }
        var lane = new Lane(RunTurnAsync);
        _lanes.Add(name, (lane, lane.RunAsync()));
        return lane;
    }

    private async Task RunTurnAsync(SocketTurn turn)
    {
        var wasSent = false;
        ApiError? error;
        Interlocked.Increment(ref _runningTurns);
        try
        {
            await _inFlight.WaitAsync(_ended.Token);
            try
            {
                error = services.Journal.IsFull ? Errors.SpoolFull : await services.Admission.AdmitAsync(turn.Turn, needsWebSockets: true, _currentAccountId, _ended.Token);
                if (error is null)
                {
                    (error, wasSent) = await SendAndWaitAsync(turn);
                }
            }
            finally
            {
                _inFlight.Release();
            }
        }
        catch (OperationCanceledException)
        {
            error = Errors.ClientLeft;
        }
        finally
        {
            Interlocked.Decrement(ref _runningTurns);
        }
        if (error is not null)
        {
            await services.Events.EndAsync(turn.Turn, error, wasSent);
            await TellAsync(turn.Turn, error);
        }
        services.Journal.Release(turn.Turn);
    }

    private async Task<(ApiError? Error, bool WasSent)> SendAndWaitAsync(SocketTurn turn)
    {
        var account = turn.Turn.Account!;
        using var deadline = new TurnDeadline(turn.Turn, services.Options.Value, services.Time, _ended.Token);
        var (link, error) = await ConnectAsync(account, turn.Turn.Request.StreamId ?? DefaultLane, deadline);
        if (link is null)
        {
            return (error, false);
        }
        _currentAccountId = account.Id;
        turn.Deadline = deadline;
        deadline.Progress();
        if (await link.SendAsync(turn, deadline.Token) is { } unsent)
        {
            return (unsent, true);
        }
        try
        {
            return (await turn.Ended.WaitAsync(deadline.Token), true);
        }
        catch (OperationCanceledException)
        {
            // Upstream has no cancel on a socket: what still runs there is stopped by closing it.
            link.Forget(turn);
            link.Abort();
            return (deadline.Reason(), true);
        }
    }

    private async Task<(UpstreamLink? Link, ApiError? Error)> ConnectAsync(AdmittedAccount account, string lane, TurnDeadline deadline)
    {
        var key = KeyOf(account, lane);
        if (_links.TryGetValue(key, out var link) && !link.IsClosed)
        {
            return (link, null);
        }
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        bound.CancelAfter(TimeSpan.FromSeconds(services.Options.Value.ConnectSeconds));
        try
        {
            var opened = await services.Connector.ConnectAsync(account, path, handshake, bound.Token);
            return opened.Socket is null ? (null, HandshakeErrors.Explain(opened)) : (Link(account, key, opened.Socket), null);
        }
        catch (OperationCanceledException) when (!deadline.Token.IsCancellationRequested)
        {
            return (null, Errors.UpstreamUnreachable);
        }
    }

    private UpstreamLink Link(AdmittedAccount account, (string, string?) key, MessageSocket socket)
    {
        var link = new UpstreamLink(socket, _client, account, key.Item2, services.Events);
        _links[key] = link;
        var pump = PumpAsync(link, key);
        _pumps.TryAdd(pump, true);
        pump.ContinueWith(ended => _pumps.TryRemove(ended, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return link;
    }

    private async Task PumpAsync(UpstreamLink link, (string, string?) key)
    {
        await link.PumpAsync(_ended.Token);
        _links.TryRemove(new KeyValuePair<(string, string?), UpstreamLink>(key, link));
        // Ids that lived on that socket are gone. While the client is idle, closing costs it nothing: it comes back and sends its history.
        if (link.HoldsLocalIds && Volatile.Read(ref _runningTurns) == 0 && !_ended.IsCancellationRequested)
        {
            await _client.CloseAsync(WebSocketCloseStatus.EndpointUnavailable, "Upstream connection ended; reconnect.");
            await _ended.CancelAsync();
        }
    }

    private static (string, string?) KeyOf(AdmittedAccount account, string lane) => (account.Id, account.Lanes ? null : lane);

    private Task TellAsync(Turn turn, ApiError error) => turn.HasBegun
        ? SendToClientAsync(ErrorEvents.FailedFrame(error, turn.ResponseId, turn.LastSequence + 1, turn.Request.StreamId))
        : TellAsync(error, turn.Request.StreamId);

    private Task TellAsync(ApiError error, string? streamId) => SendToClientAsync(ErrorEvents.ErrorFrame(error, streamId));

    private async Task SendToClientAsync(byte[] frame)
    {
        try
        {
            await _client.SendAsync(frame, _ended.Token);
        }
        catch (OperationCanceledException)
        {
            // Nobody is there to be told.
        }
    }
}
