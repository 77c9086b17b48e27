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
    TurnAdmission Admission, TurnEvents Events, TurnJournal Journal, UpstreamConnector Connector, IOptions<EdgeOptions> Options, TimeProvider Time, ILogger<SocketRouter> Logger);

/// <summary>
/// One client's WebSocket: takes its frames, runs its turns on their lanes, and keeps one upstream socket for each account in use
/// (one for each lane where the account has no lanes). Whatever goes wrong with a frame or a turn is answered with an error frame;
/// the client's socket lives on.
/// </summary>
internal sealed partial class SocketRouter(SocketServices services, HttpRequest handshake, Caller caller, string path)
{
    private const int MaxNamedLanes = 32;
    private const int MaxInFlight = 16;
    private const string DefaultLane = "";
    private static readonly TimeSpan GoodbyeBound = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<(string AccountId, string? Lane), UpstreamLink> _links = new();
    private readonly ConcurrentDictionary<Task, bool> _pumps = new();
    private readonly Dictionary<string, (Lane Lane, Task Running)> _lanes = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _inFlight = new(MaxInFlight);
    // Lanes that share an upstream socket must not open one each: ids that live on a socket would be on the wrong one.
    private readonly SemaphoreSlim _opening = new(1);
    private readonly CancellationTokenSource _ended = new();
    // Canceling a receive cuts the connection, so it is not what ends the turns.
    private readonly CancellationTokenSource _receiving = new();
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
        try
        {
            using var stop = stopping.Register(() => _ = CloseClientAsync("The gateway is shutting down; reconnect."));
            await ReceiveAllAsync();
        }
        catch (OperationCanceledException) when (_receiving.IsCancellationRequested)
        {
            // The client has not answered our goodbye.
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
            _receiving.Dispose();
            _inFlight.Dispose();
            _opening.Dispose();
        }
    }

    private async Task ReceiveAllAsync()
    {
        while (true)
        {
            await _client.WaitAsync(_receiving.Token);
            var frame = new PooledBody(initialCapacity: 4096);
            var kind = await _client.ReceiveAsync(frame, _receiving.Token);
            switch (kind)
            {
                case MessageKind.Closed:
                    frame.Dispose();
                    return;
                case not MessageKind.Closed when _client.HasSaidGoodbye:
                    frame.Dispose();
                    break;
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
        Interlocked.Increment(ref _runningTurns);
        try
        {
            var (error, wasSent) = await TryRunAsync(turn);
            if (error is not null)
            {
                await services.Events.EndAsync(turn.Turn, error, wasSent);
                await TellAsync(turn.Turn, error);
            }
        }
        finally
        {
            services.Journal.Release(turn.Turn);
            Interlocked.Decrement(ref _runningTurns);
        }
    }

    // Never throws: a lane that stopped for one turn would leave those behind it without an answer.
    private async Task<(ApiError? Error, bool WasSent)> TryRunAsync(SocketTurn turn)
    {
        try
        {
            await _inFlight.WaitAsync(_ended.Token);
            try
            {
                var refusal = services.Journal.IsFull ? Errors.SpoolFull : await services.Admission.AdmitAsync(turn.Turn, needsWebSockets: true, _currentAccountId, _ended.Token);
                return refusal is null ? await SendAndWaitAsync(turn) : (refusal, false);
            }
            finally
            {
                _inFlight.Release();
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            return (Errors.ClientLeft, false);
        }
        catch (Exception exception)
        {
            LogFault(exception, turn.Turn.Id);
            return (Errors.InternalFault, true);
        }
    }

    private async Task<(ApiError? Error, bool WasSent)> SendAndWaitAsync(SocketTurn turn)
    {
        using var deadline = new TurnDeadline(turn.Turn, services.Options.Value, services.Time, _ended.Token);
        UpstreamLink? link = null;
        try
        {
            (link, var error) = await ConnectAsync(turn.Turn, deadline);
            if (link is null)
            {
                return (error, false);
            }
            _currentAccountId = link.Account.Id;
            turn.Deadline = deadline;
            deadline.Progress();
            error = await link.SendAsync(turn, deadline.Token);
            return (error ?? await turn.Ended.WaitAsync(deadline.Token), true);
        }
        catch (OperationCanceledException)
        {
            // Upstream has no cancel on a socket: what still runs there is stopped by closing it.
            link?.Abort(turn);
            return (deadline.Reason(), link is not null);
        }
    }

    private async Task<(UpstreamLink? Link, ApiError? Error)> ConnectAsync(Turn turn, TurnDeadline deadline)
    {
        var key = KeyOf(turn.Account!, turn.Request.StreamId ?? DefaultLane);
        if (!turn.Account!.Lanes)
        {
            return LinkOf(key) is { } own ? (own, null) : await OpenAsync(turn, key, deadline);
        }
        await _opening.WaitAsync(deadline.Token);
        try
        {
            return LinkOf(key) is { } shared ? (shared, null) : await OpenAsync(turn, key, deadline);
        }
        finally
        {
            _opening.Release();
        }
    }

    private async Task<(UpstreamLink? Link, ApiError? Error)> OpenAsync(Turn turn, (string, string?) key, TurnDeadline deadline)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        bound.CancelAfter(TimeSpan.FromSeconds(services.Options.Value.ConnectSeconds));
        try
        {
            var opened = await services.Connector.ConnectAsync(turn.Account!, path, handshake, bound.Token);
            if (opened.Socket is { } socket)
            {
                return (Link(turn.Account!, key, socket), null);
            }
            var facts = EventScanner.ReadFacts(opened.Body);
            services.Events.Refused(turn, facts);
            return (null, HandshakeErrors.Explain(opened.Status, facts));
        }
        catch (OperationCanceledException) when (!deadline.Token.IsCancellationRequested)
        {
            return (null, Errors.UpstreamUnreachable);
        }
    }

    private UpstreamLink? LinkOf((string, string?) key) => _links.TryGetValue(key, out var link) && !link.IsClosed ? link : null;

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
        try
        {
            await link.PumpAsync(_ended.Token);
        }
        catch (Exception exception)
        {
            LogFault(exception, turnId: null);
        }
        _links.TryRemove(new KeyValuePair<(string, string?), UpstreamLink>(key, link));
        // Ids that lived on that socket are gone. While the client is idle, closing costs it nothing: it comes back and sends its history.
        if (link.DiedIdle && link.HoldsLocalIds && Volatile.Read(ref _runningTurns) == 0 && !_ended.IsCancellationRequested)
        {
            await CloseClientAsync("Upstream connection ended; reconnect.");
        }
    }

    // The client answers with its own Close frame, which ends the receiving; one that does not is cut off.
    private Task CloseClientAsync(string reason)
    {
        _receiving.CancelAfter(GoodbyeBound);
        return _client.CloseAsync(WebSocketCloseStatus.EndpointUnavailable, reason);
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

    [LoggerMessage(430, LogLevel.Error, "A fault on a client's socket, turn {TurnId}")]
    private static partial void LogFault(ILogger logger, Exception exception, Guid? turnId);

    private void LogFault(Exception exception, Guid? turnId) => LogFault(services.Logger, exception, turnId);
}
