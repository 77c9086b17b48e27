using Microsoft.Extensions.Options;
using Proxy.Edge.Answers;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Http;

/// <summary>Runs the turns that come over HTTP.</summary>
internal sealed class HttpTurns(TurnRunner runner, TurnJournal journal, HttpWays ways, TurnDeadlines deadlines, IOptions<EdgeOptions> options, TimeProvider time)
{
    /// <summary>Runs an accepted turn to its end.</summary>
    /// <param name="path">Below the account's base URL.</param>
    /// <param name="forwardedFor">The session for which another edge has sent it here.</param>
    public async Task RunAsync(HttpContext context, Turn turn, PooledBody body, string path, string? forwardedFor = null)
    {
        var answer = new HttpAnswer(context, turn, TimeSpan.FromSeconds(options.Value.KeepAliveSeconds), time);
        using var deadline = deadlines.For(turn, context.RequestAborted);
        using var surface = new HttpTurn(context, answer, journal.Hold(turn), body, path, forwardedFor, ways);
        await runner.RunAsync(surface, deadline);
    }
}
