using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading.Channels;
using Simulator.Accounts;
using Simulator.Recording;
using Simulator.Responses;
using Simulator.Scripts;
using Simulator.Turns;

namespace Simulator.Sockets;

/// <summary>
/// The lanes of a WebSocket: turns of one <c>stream_id</c> run one after the other, those of different ones at once,
/// at most 16 together in at most 32 named lanes. Each lane remembers its latest response, stored or not.
/// </summary>
internal sealed partial class Lanes(
    SocketConnection connection, Account account, Exchange exchange, Simulation simulation, CancellationToken over)
{
    private const int MaxInFlight = 16;
    private const int MaxNamed = 32;

    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (string Lane, int ContextItems)> _latest = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Turn> _active = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, IReadOnlyList<JsonElement>> _pendingSteers = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _inFlight = new(MaxInFlight, MaxInFlight);
    private readonly TurnPlayer _player = new(simulation.Gate, simulation.Time);

    private sealed record Lane(string? StreamId, Channel<(TurnRequest Request, int Number)> Queue, Task Work);

    /// <summary>Queues a <c>response.create</c>.</summary>
    public async ValueTask CreateAsync(byte[] frame, int number, CancellationToken cancellationToken)
    {
        var (request, error) = TurnRequest.Parse(frame);
        var streamId = request?.StreamId;
        if (streamId is not null && !StreamIds().IsMatch(streamId))
        {
            error = ApiError.Invalid("Invalid stream_id.", "stream_id", "invalid_stream_id");
        }
        else if (streamId is not null && !_lanes.ContainsKey(streamId) && _lanes.Count(lane => lane.Value.StreamId is not null) >= MaxNamed)
        {
            error = ApiError.Invalid(
                $"This websocket connection has reached the maximum number of distinct stream IDs ({MaxNamed}).", "stream_id", "websocket_stream_limit_reached");
        }

        if (error is not null)
        {
            await connection.SendAsync(error.Frame(streamId), binary: false, cancellationToken);
            return;
        }

        await Of(streamId).Queue.Writer.WriteAsync((request!, number), cancellationToken);
    }

    /// <summary>Changes the course of a running response.</summary>
    public async ValueTask SteerAsync(JsonElement frame, CancellationToken cancellationToken)
    {
        var id = TurnRequest.Text(frame, "previous_response_id") ?? "";
        var input = TurnRequest.ReadInput(frame);
        if (!_active.TryGetValue(id, out var turn) || !turn.Created)
        {
            var known = _latest.ContainsKey(id) || account.Organisation.Responses.TryGet(id, out _);
            await SendAsync("failed", Steering.Failed(id, known ? "response_already_completed" : "response_not_found"));
        }
        else if (frame.EnumerateObject().Any(member => member.Name is not ("type" or "previous_response_id" or "input"))
            || input.Count == 0 || input.Any(item => TurnRequest.Text(item, "role") != "user"))
        {
            await SendAsync("failed", Steering.Failed(id, "invalid_input"));
        }
        else
        {
            await SendAsync("accepted", Steering.Accepted(turn));
            if (turn.Output.OfType<FunctionCallItem>().Any())
            {
                // The model waits for the tools; the steer goes with their results.
                _pendingSteers[id] = input;
                await SendAsync("pending", Steering.Pending(turn));
            }
            else
            {
                turn.Steer(frame);
            }
        }

        ValueTask SendAsync(string outcome, Steering steering) =>
            connection.SendAsync(steering.Event(outcome), binary: false, cancellationToken);
    }

    /// <summary>Ends a running response as incomplete; a response that does not run any more is none of its business.</summary>
    public async ValueTask InterruptAsync(JsonElement frame, CancellationToken cancellationToken)
    {
        var id = TurnRequest.Text(frame, "response_id") ?? "";
        if (_active.TryGetValue(id, out var turn) && turn.Created)
        {
            await connection.SendAsync(
                JsonBytes.Write(id, static (json, id) =>
                {
                    json.WriteStartObject();
                    json.WriteString("type", "response.interrupt.accepted");
                    json.WriteString("response_id", id);
                    json.WriteEndObject();
                }),
                binary: false, cancellationToken);
            turn.Interrupt(frame);
        }
    }

    /// <summary>Waits until no turn runs any more; the connection has ended them.</summary>
    public async Task DrainAsync()
    {
        foreach (var lane in _lanes.Values)
        {
            lane.Queue.Writer.TryComplete();
            await lane.Work;
        }
    }

    private Lane Of(string? streamId)
    {
        var key = streamId ?? "";
        if (!_lanes.TryGetValue(key, out var lane))
        {
            var queue = Channel.CreateUnbounded<(TurnRequest, int)>(new UnboundedChannelOptions { SingleReader = true });
            _lanes[key] = lane = new Lane(streamId, queue, Task.Run(() => WorkAsync(streamId, queue.Reader), over));
        }

        return lane;
    }

    private async Task WorkAsync(string? streamId, ChannelReader<(TurnRequest Request, int Number)> queue)
    {
        try
        {
            await foreach (var (request, number) in queue.ReadAllAsync(over))
            {
                await _inFlight.WaitAsync(over);
                try
                {
                    await RunAsync(streamId, request, number);
                }
                finally
                {
                    _inFlight.Release();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The connection is over.
        }
    }

    private async Task RunAsync(string? streamId, TurnRequest request, int number)
    {
        if (request.PreviousResponseId is { } steered && _pendingSteers.TryRemove(steered, out var more))
        {
            request = request.With(more);
        }

        while (true)
        {
            var rule = simulation.Script.Take(new Occasion(Surface.WebSocket, account.Token, number, "GET", exchange.Path)
            {
                Model = request.Model,
                FollowUp = request.PreviousResponseId is not null,
                Prewarm = !request.Generate,
                Body = request.Body,
            });
            if (rule.ChecksDemands && Demands.Check(request, account.Organisation, _latest.ContainsKey) is { } unmet)
            {
                Evict(streamId, request.PreviousResponseId);
                await connection.SendAsync(unmet.Frame(streamId), binary: false, over);
                return;
            }

            var kept = false;
            var turn = new Turn(account, request, rule, simulation.Time.GetUtcNow())
            {
                OverWebSocket = true,
                StreamId = streamId,
                LocalContextItems = request.PreviousResponseId is { } id && _latest.TryGetValue(id, out var latest) ? latest.ContextItems : 0,
                Kept = turn =>
                {
                    kept = true;
                    Remember(streamId, turn);
                },
            };
            exchange.Made(turn.Id);
            _active[turn.Id] = turn;
            var end = await _player.PlayAsync(turn, new SocketOutput(connection, streamId), over);
            _active.TryRemove(turn.Id, out _);
            if (!kept)
            {
                Evict(streamId, request.PreviousResponseId);
            }

            if (end != TurnEnd.Steered)
            {
                return;
            }

            request = request.Steered(turn.Id, (await turn.Stopped).Frame);
            number = account.Next(Surface.WebSocket);
        }
    }

    private void Remember(string? streamId, Turn turn)
    {
        foreach (var (id, latest) in _latest)
        {
            if (latest.Lane == (streamId ?? ""))
            {
                _latest.TryRemove(id, out _);
            }
        }

        _latest[turn.Id] = (streamId ?? "", turn.ContextItems);
    }

    /// <summary>A continuation that failed in its own lane costs the lane its memory of the anchor; a fork does not.</summary>
    private void Evict(string? streamId, string? anchor)
    {
        if (anchor is not null && _latest.TryGetValue(anchor, out var latest) && latest.Lane == (streamId ?? ""))
        {
            _latest.TryRemove(anchor, out _);
        }
    }

    [GeneratedRegex("^[A-Za-z0-9_.-]{1,256}$")]
    private static partial Regex StreamIds();
}
