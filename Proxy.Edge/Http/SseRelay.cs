using Microsoft.Extensions.Options;
using Proxy.Edge.Answers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Http;

/// <summary>Relays answers that are streams of events.</summary>
internal sealed class SseRelay(TurnEvents events, TurnRecovery recovery, IOptions<EdgeOptions> options)
{
    /// <summary>Null when the response's terminal event was relayed; else what happened instead.</summary>
    public async Task<RecoverySignal?> RelayAsync(HttpAnswer answer, TurnAttempt attempt, HttpResponseMessage response, AttemptDeadline limits)
    {
        try
        {
            await using var upstream = new SseReader(await UpstreamAnswers.ReadAsync(response, limits.Token));
            return await new RelayedStream(events, recovery, options.Value.MaxEventBytes, answer, attempt, response, upstream, limits).RelayAsync();
        }
        catch (Exception exception) when (UpstreamAnswers.IsBroken(exception))
        {
            return attempt.Turn.HasEnded ? null : new RecoverySignal(SignalKind.Broken);
        }
        catch (OperationCanceledException) when (limits.Token.IsCancellationRequested)
        {
            return attempt.Turn.HasEnded ? null : new RecoverySignal(limits.Reason);
        }
    }
}
