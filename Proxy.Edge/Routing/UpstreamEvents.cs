using Proxy.Continuity.Contracts;
using Proxy.Edge.Downstream;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>
/// The events of an upstream socket: scans each, finds the turn it belongs to, and sends it on to that turn's client; an error goes to the turn's own task, which
/// decides what the client is told.
/// </summary>
/// <param name="hasLanes">Its events bear the names of their lanes; else they get that of their turn.</param>
/// <param name="strays">Where events go that are of no turn; null drops them.</param>
/// <param name="follow">Begins the turn of a response that upstream has begun by itself; null if that may not be.</param>
internal sealed class UpstreamEvents(
    SocketAttempts attempts, UpstreamSocketEnd end, LocalIds localIds, bool hasLanes, IEventSink? strays, Func<Turn, string, SocketAttempt?> follow, RelayServices services)
{
    /// <summary>Relays one event; false when the client is gone.</summary>
    public async Task<bool> RelayAsync(PooledBody message, CancellationToken cancellationToken)
    {
        var head = EventScanner.ReadHead(message.Span);
        if (head.IsTerminal || head.Kind == EventKind.Created)
        {
            return await RelayLifecycleAsync(head, message, cancellationToken);
        }
        var attempt = attempts.OnLaneOf(message.Span);
        if (head.Kind == EventKind.Control && attempt?.ResponseId is null)
        {
            // It is about a response that has ended, and says so itself; the turn that waits on the lane has no part in it.
            return strays is null || await strays.SendAsync(head, EventOf(message, attempts.LatestLane), cancellationToken);
        }
        if (attempt is not null)
        {
            // A delta says that the response was created, if nothing has before.
            if (attempt.IsAbandoned || (head.Kind == EventKind.Delta && !attempt.TryCreate()))
            {
                return true;
            }
            services.Events.Relay(attempt.TurnAttempt, head, message.Span);
            if (head.Kind == EventKind.Delta)
            {
                attempt.Deadline.Created();
            }
            attempt.Deadline.Progress();
        }
        else if (head.Kind == EventKind.Delta || head.SequenceNumber is not null)
        {
            // Of a response that has ended for the client, or that it has not asked for.
            services.Telemetry.CountSwallowed("stray");
            return true;
        }
        else
        {
            return strays is null || await strays.SendAsync(head, EventOf(message, attempts.LatestLane), cancellationToken);
        }
        return await attempt.Client.SendAsync(head, EventOf(message, attempt.Lane), cancellationToken);
    }

    private async Task<bool> RelayLifecycleAsync(EventHead head, PooledBody message, CancellationToken cancellationToken)
    {
        var facts = ResponseFactsReader.Read(message.Span);
        if (head.Kind == EventKind.Created && end.IsOpen && attempts.Continued(message.Span, facts) is var (ended, lane) && follow(ended, lane) is { } successor)
        {
            attempts.AddSuccessor(successor);
            return await RelayAsync(successor, head, facts, message, cancellationToken);
        }
        var (matches, isGuess) = attempts.Match(head.Kind, message.Span, facts);
        if (matches.Count == 0 && head.Kind is EventKind.Failed or EventKind.Error && attempts.OnlyWaiting(message.Span, facts) is { } only)
        {
            // It quotes what nobody knows, and there is only one whose it can be. Should anything else come of that, it must not reach the next turn.
            Fail(only, facts, message);
            end.Retire();
            return true;
        }
        if (matches.Count == 0)
        {
            // An idle client would take it for the answer to its next turn.
            services.Telemetry.CountSwallowed(facts.Error?.Reason ?? "foreign");
            if (facts.Error is { Kind: UpstreamErrorKind.ConnectionLimit })
            {
                end.Retire();
            }
            return true;
        }
        if (head.Kind is EventKind.Failed or EventKind.Error)
        {
            foreach (var attempt in matches)
            {
                if (!TryPass(attempt, head, facts))
                {
                    Fail(attempt, facts, message);
                    if (isGuess)
                    {
                        // What may still come of that turn must not reach the lane's next.
                        end.Retire();
                    }
                }
                else if (!await attempt.Client.SendAsync(head, ErrorOf(message, attempt.Lane), cancellationToken))
                {
                    return false;
                }
            }
            return true;
        }
        return await RelayAsync(matches[0], head, facts, message, cancellationToken);
    }

    private async Task<bool> RelayAsync(SocketAttempt attempt, EventHead head, ResponseFacts facts, PooledBody message, CancellationToken cancellationToken)
    {
        if (head.Kind == EventKind.Created)
        {
            attempt.ResponseId = facts.Id;
            if (!attempt.TryCreate())
            {
                return true;
            }
            if (attempt.TurnAttempt.Response.WasCreatedBefore)
            {
                services.Events.Recreated(attempt.TurnAttempt, facts);
                attempt.Deadline.Created();
                return true;
            }
            services.Events.Relay(attempt.TurnAttempt, head, message.Span);
            attempt.Deadline.Created();
            return await attempt.Client.SendAsync(head, EventOf(message, attempt.Lane), cancellationToken);
        }
        // A steered response is followed by another one: it ends, its attempt does not.
        var isSteered = facts.IncompleteReason == "steered";
        if (isSteered ? attempt.IsAbandoned : !attempt.TryFinish())
        {
            attempt.TurnAttempt.Response.Observe(facts);
            end.Remove(attempt);
            attempt.TryEnd(null);
            return true;
        }
        if (!await services.Events.EndAsync(attempt.TurnAttempt, head, facts))
        {
            end.Cut(new RecoverySignal(SignalKind.SessionLost));
            return true;
        }
        attempts.NoteEnded(attempt);
        if (!attempt.Turn.Request.Store && facts.Id is { } id)
        {
            localIds.Add(id);
        }
        if (isSteered)
        {
            var successor = services.Journal.BeginSuccessor(attempt.Turn);
            if (!attempt.TryBeginSuccessor(successor))
            {
                services.Journal.End(successor.Turn, TurnStatus.Cancelled, StatusCodes.Status499ClientClosedRequest);
            }
            attempt.Deadline.Progress();
            return await attempt.Client.SendAsync(head, EventOf(message, attempt.Lane), cancellationToken);
        }
        end.Remove(attempt);
        try
        {
            return await attempt.Client.SendAsync(head, EventOf(message, attempt.Lane), cancellationToken);
        }
        finally
        {
            // Also where the client has gone: the turn has ended all the same, and its task waits for this.
            attempt.TryEnd(null);
        }
    }

    // An error event of a response that has begun: its end may follow.
    private bool TryPass(SocketAttempt attempt, EventHead head, ResponseFacts facts)
    {
        if (head.Kind != EventKind.Error || attempt.IsAbandoned || !services.Recovery.TryPass(attempt.TurnAttempt, facts, attempt.Deadline))
        {
            return false;
        }
        services.Events.Relay(attempt.TurnAttempt, head, default);
        return true;
    }

    private void Fail(SocketAttempt attempt, ResponseFacts facts, PooledBody message)
    {
        var isAlone = attempts.IsAlone(attempt);
        attempts.NoteOver(attempt.ResponseId ?? facts.Id);
        end.Remove(attempt);
        if (attempt.TryFinish())
        {
            attempt.TurnAttempt.Response.ObserveRejection(facts);
            attempt.TryEnd(new RecoverySignal(SignalKind.Rejected, facts.Error ?? UpstreamError.Unspecified, IsAlone: isAlone) { Raw = ErrorOf(message, attempt.Lane).ToArray() });
            return;
        }
        attempt.TryEnd(null);
    }

    // An error may be a turn's without naming its lane; the turn's client is told which.
    private ReadOnlyMemory<byte> ErrorOf(PooledBody message, string lane) =>
        hasLanes && lane.Length > 0 && EventScanner.ReadStreamId(message.Span) is null ? StreamIds.Insert(message.Span, lane) : EventOf(message, lane);

    private ReadOnlyMemory<byte> EventOf(PooledBody message, string lane) => hasLanes || lane.Length == 0 ? message.Memory : StreamIds.Insert(message.Span, lane);
}
