using System.Net.WebSockets;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Downstream;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>What the routers of all sockets share.</summary>
internal sealed record SocketServices(
    TurnRunner Runner, TurnAdmission Admission, TurnJournal Journal, TurnDeadlines Deadlines, UpstreamSockets Sockets, TurnTelemetry Telemetry,
    MemoryBudget Memory, Drain Drain, KeyWatch Keys, IOptions<EdgeOptions> Options, TimeProvider Time, ILogger<SocketRouter> Logger);

/// <summary>
/// One client's WebSocket: takes its frames and runs its turns on their lanes. Whatever goes wrong with a frame or a turn is answered with
/// an error frame; the client's socket lives on.
/// </summary>
internal sealed class SocketRouter : IDisposable
{
    private static readonly TimeSpan GoodbyeBound = TimeSpan.FromSeconds(2);

    private readonly SocketServices _services;
    private readonly HttpRequest _handshake;
    private readonly Caller _caller;
    private readonly MessageSocket _socket;
    private readonly ClientSocket _client;
    private readonly UpstreamLinks _links;
    private readonly SocketTurns _turns;
    private readonly ClientLanes _lanes;
    private readonly KeyUse _key;
    private readonly MemoryShare _memory;
    private readonly bool _isCodex;
    private readonly CancellationTokenSource _ended = new();
    // Canceling a receive cuts the connection, so it is not what ends the turns.
    private readonly CancellationTokenSource _receiving = new();

    /// <param name="path">Below an account's base URL.</param>
    public SocketRouter(SocketServices services, HttpRequest handshake, Caller caller, string path, MessageSocket socket)
    {
        (_services, _handshake, _caller, _socket) = (services, handshake, caller, socket);
        _client = new ClientSocket(socket, TimeSpan.FromSeconds(services.Options.Value.KeepAliveSeconds), services.Time, _ended.Token);
        _links = new UpstreamLinks(services.Sockets, handshake, path, _client.Events, CloseIfIdsAreGoneAsync, FollowUpstream, services.Logger, _ended.Token);
        _turns = new SocketTurns(services.Runner, services.Admission, services.Journal, services.Deadlines, _client, _links, services.Logger);
        _lanes = new ClientLanes(_turns.RunAsync);
        _key = services.Keys.Watch(caller.KeyId, grant => _links.AreAll(account => grant.Covers(account.Name, model: null)));
        _memory = services.Memory.ForSocket(caller.KeyId);
        _isCodex = ClientKinds.IsCodex(handshake.Headers);
    }

    /// <summary>Runs until the client leaves or the edge stops.</summary>
    /// <param name="eager">The upstream socket that was opened with the client's own upgrade, if any.</param>
    public async Task RunAsync((AdmittedAccount Account, MessageSocket Socket)? eager)
    {
        if (eager is { } first)
        {
            _links.Adopt(first.Account, first.Socket);
            _client.CurrentAccountId = first.Account.Id;
        }
        var goodbye = SayGoodbyeAsync();
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
            await _turns.WhenFollowedAsync();
            await _links.WhenEndedAsync();
        }
    }

    public void Dispose()
    {
        _key.Dispose();
        _ended.Dispose();
        _receiving.Dispose();
        _client.Dispose();
        _links.Dispose();
    }

    private async Task ReceiveAllAsync()
    {
        while (true)
        {
            await _socket.WaitAsync(_receiving.Token);
            var frame = new PooledBody(initialCapacity: 4096, _memory);
            MessageKind kind;
            try
            {
                kind = await _socket.ReceiveAsync(frame, _receiving.Token);
            }
            catch (OperationCanceledException)
            {
                // Cut in the middle of a frame: its bytes are the key's again.
                frame.Dispose();
                throw;
            }
            switch (kind)
            {
                case MessageKind.Closed:
                    frame.Dispose();
                    return;
                case not MessageKind.Closed when _socket.CloseSent:
                    frame.Dispose();
                    break;
                case MessageKind.Text:
                    await AcceptAsync(frame);
                    break;
                default:
                    frame.Dispose();
                    await _client.TellAsync(kind switch
                    {
                        MessageKind.Binary => Errors.BinaryFrame,
                        MessageKind.NoRoom => Errors.NoMemory,
                        _ => Errors.TooLarge(_services.Options.Value.MaxDecompressedBytes),
                    }, streamId: null);
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
                await (request is null ? _client.TellAsync(error!, streamId: null) : PassAsync(request, frame));
                return;
            }
        }
        (var lane, error) = _lanes.For(request.StreamId);
        if (lane is not null && !_turns.Gate.TryEnter())
        {
            // It crosses our goodbye, and the client comes back with it; or it comes while the last turns end.
            frame.Dispose();
            await (_key.Ended.IsCancellationRequested ? _client.TellAsync(Errors.KeyEnded, request.StreamId)
                : _services.Drain.Begun.IsCancellationRequested ? _client.TellAsync(Errors.ShuttingDown, request.StreamId)
                : Task.CompletedTask);
            return;
        }
        if (lane is not null)
        {
            var turn = _services.Journal.Accept(request with { Stream = true }, _caller, TurnScope.Of(_handshake.Headers, request), Surfaces.WebSocket, frame.Length, isCodex: _isCodex);
            var queued = _turns.Of(turn, frame);
            if (lane.TryQueue(queued))
            {
                return;
            }
            // It holds nothing but its frame.
            _turns.Gate.Exit();
            error = Errors.TooManyQueued;
        }
        // Not a turn: a row for each would let a client fill the log with what costs it nothing.
        _services.Telemetry.CountRefusedFrame(error!.Code);
        frame.Dispose();
        await _client.TellAsync(error!, request.StreamId);
    }

    // Frames that are not turns (steering, interrupting, and whatever comes next) are about a response, which they name; only where they do not, lanes tell.
    private async Task PassAsync(TurnRequest request, PooledBody frame)
    {
        if (_key.Ended.IsCancellationRequested)
        {
            return;
        }
        var named = request.Type == WireTypes.Processed ? null : request.ResponseId ?? request.PreviousResponseId;
        if ((named is null ? _links.For(request.StreamId, _client.CurrentAccountId) : _links.Knowing(named)) is { } link)
        {
            await link.PassAsync(frame.Memory, _ended.Token);
        }
        else if (named is not null)
        {
            await _client.TellNotRunningAsync(request, named);
        }
    }

    private SocketAttempt? FollowUpstream(UpstreamLink link, Turn ended, string lane) => _turns.Follow(link, ended, lane);

    // Ids that lived on that socket are gone. While the client is idle, closing costs it nothing: it comes back and sends its history.
    private Task CloseIfIdsAreGoneAsync(UpstreamLink link) =>
        link.HoldsLocalIds && !_ended.IsCancellationRequested && _turns.Gate.TryClose()
            ? CloseClientAsync(WebSocketCloseStatus.EndpointUnavailable, "Upstream connection ended; reconnect.")
            : Task.CompletedTask;

    // When the edge stops before the client has left: its turns end first, by themselves or by the drain's end. When its key ends they end at once.
    private async Task SayGoodbyeAsync()
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_services.Drain.Begun, _key.Ended, _ended.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, _services.Time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var cut = _key.Ended.Register(() => _receiving.CancelAfter(GoodbyeBound));
        if (!_ended.IsCancellationRequested)
        {
            await _turns.Gate.DrainAsync().WaitAsync(_ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!_ended.IsCancellationRequested)
        {
            await (_key.Ended.IsCancellationRequested
                ? CloseClientAsync(WebSocketCloseStatus.PolicyViolation, "The API key is not valid any more.")
                : CloseClientAsync(WebSocketCloseStatus.EndpointUnavailable, "The gateway is shutting down; reconnect."));
        }
    }

    // The client answers with its own Close frame, which ends the receiving; one that does not is cut off.
    private Task CloseClientAsync(WebSocketCloseStatus status, string reason)
    {
        _receiving.CancelAfter(GoodbyeBound);
        return _socket.CloseAsync(status, reason);
    }
}
