using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Turns;

/// <summary>Gives back what a turn was sent with.</summary>
internal static class SentBodies
{
    /// <summary>
    /// Waits for an attempt, and gives its bytes back as soon as they have left whole and the response has begun: minutes may pass before it ends, and of such a turn only a
    /// prewarm is sent once more. Done by the one who would send it again, so that nobody reads what is given back.
    /// </summary>
    public static async Task<RecoverySignal?> GiveBackWhenBegunAsync(this Task<RecoverySignal?> attempt, AttemptDeadline limits, Turn turn, params PooledBody[] sent)
    {
        await Task.WhenAny(attempt, limits.Begun);
        if (turn is { Response.HasBegun: true, Request.Generate: true })
        {
            foreach (var body in sent)
            {
                body.Dispose();
            }
        }
        return await attempt;
    }
}
