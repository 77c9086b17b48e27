using System.Text.Json;
using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>How a turn came to its end.</summary>
internal enum TurnEnd
{
    /// <summary>With a terminal event, an error, or by being left open.</summary>
    Over,

    /// <summary>Together with its connection.</summary>
    Disconnected,

    /// <summary>By a steer: a successor follows.</summary>
    Steered,
}

/// <summary>Plays the plain events of a turn and, at their positions, the steps of its rule.</summary>
internal sealed class TurnPlayer(Gate gate, TimeProvider time)
{
    public async Task<TurnEnd> PlayAsync(Turn turn, ITurnOutput output, CancellationToken cancellationToken)
    {
        turn.Begin();
        try
        {
            return await new Performance(turn, output, gate, time).RunAsync(cancellationToken);
        }
        finally
        {
            turn.End();
        }
    }

    private sealed class Performance(Turn turn, ITurnOutput output, Gate gate, TimeProvider time)
    {
        private readonly Progress _progress = new();

        public async Task<TurnEnd> RunAsync(CancellationToken cancellationToken)
        {
            using var events = TurnEvents.Plain(turn).GetEnumerator();
            foreach (var step in turn.Rule.Steps)
            {
                while (!_progress.HasReached(step.After, turn.Output.Count) && events.MoveNextUnless(turn.Stopped.IsCompleted))
                {
                    await SendPlainAsync(events.Current, cancellationToken);
                }

                if (!turn.Stopped.IsCompleted && await TakeAsync(step, cancellationToken) is { } end)
                {
                    return end;
                }
            }

            while (events.MoveNextUnless(turn.Stopped.IsCompleted))
            {
                await SendPlainAsync(events.Current, cancellationToken);
            }

            if (!turn.Stopped.IsCompleted)
            {
                return TurnEnd.Over;
            }

            var reason = (await turn.Stopped).Reason;
            if (!_progress.Terminal)
            {
                await SendAsync(TurnEvents.Incomplete(turn, reason), cancellationToken);
            }

            return reason == "steered" ? TurnEnd.Steered : TurnEnd.Over;
        }

        private async ValueTask SendPlainAsync(TurnEvent turnEvent, CancellationToken cancellationToken)
        {
            if (turn.Rule.Answer.DelayMs is { } delay && _progress.Events > 0)
            {
                await Task.WhenAny(Task.Delay(TimeSpan.FromMilliseconds(delay), time, cancellationToken), turn.Stopped);
            }

            turn.Created |= turnEvent.Type == "response.created";
            _progress.Note(turnEvent);
            await SendAsync(turnEvent, cancellationToken);
        }

        private async ValueTask SendAsync(TurnEvent turnEvent, CancellationToken cancellationToken)
        {
            await StartAsync(cancellationToken);
            if (turnEvent.IsTerminal && output.TerminalIsEnd)
            {
                turn.End();
            }

            await output.SendAsync(
                turn.Rule.Answer.Indented ? turnEvent with { Json = JsonBytes.Indent(turnEvent.Json) } : turnEvent, cancellationToken);
        }

        private async ValueTask StartAsync(CancellationToken cancellationToken)
        {
            if (!_progress.Started)
            {
                _progress.Started = true;
                await output.StartAsync(turn, cancellationToken);
            }
        }

        /// <returns>How the turn ended, if the step ends it.</returns>
        private async ValueTask<TurnEnd?> TakeAsync(Step step, CancellationToken cancellationToken)
        {
            if (step is not StatusStep && (step.After != Position.Start || step is not (StallStep or CutStep)))
            {
                await StartAsync(cancellationToken);
            }

            switch (step)
            {
                case StatusStep status:
                    await output.RefuseAsync(status, cancellationToken);
                    return TurnEnd.Over;
                case ErrorStep error:
                    await SendAsync(ScriptedEvents.Error(turn, error), cancellationToken);
                    return error.Continue ? null : TurnEnd.Over;
                case FailedStep failed:
                    await SendAsync(ScriptedEvents.Failed(turn, failed), cancellationToken);
                    return failed.Continue ? null : TurnEnd.Over;
                case IncompleteStep incomplete:
                    await SendAsync(TurnEvents.Incomplete(turn, incomplete.Reason), cancellationToken);
                    return TurnEnd.Over;
                case EventStep inserted:
                    await SendAsync(ScriptedEvents.Inserted(turn, inserted), cancellationToken);
                    return null;
                case RawStep raw:
                    await output.SendRawAsync(turn.Fill(raw.Text), raw.Binary, cancellationToken);
                    return null;
                case PingStep:
                    await output.PingAsync(cancellationToken);
                    return null;
                case StallStep { Ms: { } ms }:
                    await Task.WhenAny(Task.Delay(TimeSpan.FromMilliseconds(ms), time, cancellationToken), turn.Stopped);
                    cancellationToken.ThrowIfCancellationRequested();
                    return null;
                case StallStep:
                    await gate.WaitAsync(turn.Stopped, cancellationToken);
                    return null;
                case CutStep:
                    output.Cut();
                    return TurnEnd.Disconnected;
                case EofStep:
                    await output.EndAsync(null, cancellationToken);
                    return TurnEnd.Disconnected;
                case CloseStep close:
                    await output.EndAsync(close, cancellationToken);
                    return TurnEnd.Disconnected;
                case LeaveStep:
                    return TurnEnd.Over;
                default:
                    throw new JsonException($"Unknown step {step}.");
            }
        }
    }

    /// <summary>How far the plain answer has got; what steps insert does not count.</summary>
    private sealed class Progress
    {
        private readonly HashSet<string> _types = new(StringComparer.Ordinal);
        private int _deltas, _items;

        public bool Started { get; set; }

        public int Events { get; private set; }

        public bool Terminal { get; private set; }

        public void Note(TurnEvent turnEvent)
        {
            Events++;
            Terminal |= turnEvent.IsTerminal;
            _deltas += turnEvent.Type.EndsWith(".delta", StringComparison.Ordinal) ? 1 : 0;
            _items += turnEvent.Type == "response.output_item.done" ? 1 : 0;
            _types.Add(turnEvent.Type);
        }

        public bool HasReached(Position position, int items) => Terminal || position.Name switch
        {
            "start" or "headers" => true,
            "created" => _types.Contains("response.created"),
            "delta" => _deltas >= position.Count,
            "event" => Events >= position.Count,
            "item" => _items >= position.Count,
            "output" => _types.Contains("response.in_progress") && _items >= items,
            "terminal" => false,
            var type => _types.Contains(type),
        };
    }
}

internal static class EventEnumeration
{
    public static bool MoveNextUnless(this IEnumerator<TurnEvent> events, bool stopped) => !stopped && events.MoveNext();
}
