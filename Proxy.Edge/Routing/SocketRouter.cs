using System.Net.WebSockets;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>What a router needs that all sockets share.</summary>
internal sealed record SocketServices(
    TurnAdmission Admission, TurnEvents Events, TurnJournal Journal, UpstreamConnector Connector, IOptions<EdgeOptions> Options, TimeProvider Time, ILogger<SocketRouter> Logger);

/// <summary>
/// One client's WebSocket: takes its frames and runs its turns on their lanes. Whatever goes wrong with a frame or a turn is answered with
/// an error frame; the client's socket lives on.
/// </summary>
internal sealed partial class SocketRouter : IDisposable
{
    private const int MaxInFlight = 16;
    private static readonly TimeSpan GoodbyeBound = TimeSpan.FromSeconds(2);

    private readonly SocketServices _services;
    private readonly HttpRequest _handshake;
    private readonly Caller _caller;
    private readonly MessageSocket _client;
    private readonly UpstreamLinks _links;
    private readonly ClientLanes _lanes;
    private readonly SemaphoreSlim _inFlight = new(MaxInFlight);
    private readonly CancellationTokenSource _ended = new();
    // Canceling a receive cuts the connection, so it is not what ends the turns.
    private readonly CancellationTokenSource _receiving = new();
    private volatile string? _currentAccountId;
    private int _runningTurns;

    /// <param name="path">Below an account's base URL.</param>
    public SocketRouter(SocketServices services, HttpRequest handshake, Caller caller, string path, MessageSocket client)
    {
        (_services, _handshake, _caller, _client) = (services, handshake, caller, client);
        _links = new UpstreamLinks(services, handshake, path, client, CloseIfIdsAreGoneAsync, _ended.Token);
        _lanes = new ClientLanes(RunTurnAsync);
    }

    /// <summary>Runs until the client leaves or the edge stops.</summary>
    /// <param name="eager">The upstream socket that was opened with the client's own upgrade, if any.</param>
    public async Task RunAsync((AdmittedAccount Account, MessageSocket Socket)? eager, CancellationToken stopping)
    {
        if (eager is { } first)
        {
            _links.Adopt(first.Account, first.Socket);
            _currentAccountId = first.Account.Id;
        }
        var goodbye = SayGoodbyeAsync(stopping);
        try
        {
            await ReceiveAllAsync();
        }
        catch (OperationCanceledException) when (_receiving.IsCancellationRequested)
        {
            // The client has not answered our goodbye.
        }
        finally
        {
            await _ended.CancelAsync();
            await goodbye;
            await _lanes.CompleteAsync();
            await _links.WhenEndedAsync();
        }
    }

    public void Dispose()
    {
        _ended.Dispose();
        _receiving.Dispose();
        _inFlight.Dispose();
        _links.Dispose();
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
                    await TellAsync(kind == MessageKind.Binary ? Errors.BinaryFrame : Errors.TooLarge(_services.Options.Value.MaxDecompressedBytes), streamId: null);
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
        (var lane, error) = _lanes.For(request.StreamId);
        if (lane is not null)
        {
            var turn = _services.Journal.Accept(request with { Stream = true }, _caller, TurnScope.Of(_handshake.Headers, request), Surfaces.WebSocket, frame.Length);
            var queued = new SocketTurn(turn, frame);
            if (lane.TryQueue(queued))
            {
                return;
            }
            await _services.Events.EndAsync(turn, Errors.TooManyQueued, wasSent: false);
            error = Errors.TooManyQueued;
        }
        frame.Dispose();
        await TellAsync(error!, request.StreamId);
    }

    // Frames that are not turns (steering, and whatever comes next) go where their lane's turns go.
    private async Task PassAsync(TurnRequest request, PooledBody frame)
    {
        if (_links.Find(_currentAccountId, request.StreamId ?? Lane.Default) is { } link)
        {
            await link.PassAsync(frame.Memory, _ended.Token);
        }
    }

    private async Task RunTurnAsync(SocketTurn turn)
    {
        Interlocked.Increment(ref _runningTurns);
        try
        {
            var (error, wasSent) = await TryRunAsync(turn);
            if (error is not null)
            {
                await _services.Events.EndAsync(turn.Turn, error, wasSent);
                await TellAsync(turn.Turn, error);
            }
        }
        finally
        {
            _services.Journal.Release(turn.Turn);
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
                var refusal = _services.Journal.IsFull ? Errors.SpoolFull : await _services.Admission.AdmitAsync(turn.Turn, needsWebSockets: true, _currentAccountId, _ended.Token);
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
            LogFault(_services.Logger, exception, turn.Turn.Id);
            return (Errors.InternalFault, true);
        }
    }

    private async Task<(ApiError? Error, bool WasSent)> SendAndWaitAsync(SocketTurn turn)
    {
        using var deadline = new TurnDeadline(turn.Turn, _services.Options.Value, _services.Time, _ended.Token);
        UpstreamLink? link = null;
        try
        {
            (link, var error) = await _links.GetAsync(turn.Turn, deadline);
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

    // Ids that lived on that socket are gone. While the client is idle, closing costs it nothing: it comes back and sends its history.
    private Task CloseIfIdsAreGoneAsync(UpstreamLink link) =>
        link.HoldsLocalIds && Volatile.Read(ref _runningTurns) == 0 && !_ended.IsCancellationRequested
            ? CloseClientAsync("Upstream connection ended; reconnect.")
            : Task.CompletedTask;

    // When the edge stops before the client has left.
    private async Task SayGoodbyeAsync(CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, _ended.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, _services.Time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_ended.IsCancellationRequested)
        {
            await CloseClientAsync("The gateway is shutting down; reconnect.");
        }
    }

    // The client answers with its own Close frame, which ends the receiving; one that does not is cut off.
    private Task CloseClientAsync(string reason)
    {
        _receiving.CancelAfter(GoodbyeBound);
        return _client.CloseAsync(WebSocketCloseStatus.EndpointUnavailable, reason);
    }

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

    [LoggerMessage(430, LogLevel.Error, "A fault in turn {TurnId} on a client's socket")]
    private static partial void LogFault(ILogger logger, Exception exception, Guid turnId);
}
