using Benchmarks.Load;
using Benchmarks.Targets;

namespace Benchmarks.Scenarios;

/// <summary>Load before the first round: code is compiled again while it runs, for seconds.</summary>
internal static class WarmUp
{
    private const int Connections = 32;
    private const int Most = 20;
    private const double Steady = 1.03;
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    /// <summary>Runs turns of all kinds, and then JSON turns until they get no faster.</summary>
    /// <param name="least">Seconds that it takes in any case.</param>
    public static async Task RunAsync(Target target, int least, CancellationToken cancellationToken)
    {
        await Clients.RunAsync(4, Step, (_, more) => Streams(target, more), cancellationToken);
        await Clients.RunAsync(4, Step, (_, more) => Sockets(target, more), cancellationToken);
        var best = 0;
        for (var (second, still) = (0, 0); second < Most && (second < least || still < 2); second++)
        {
            var turns = (await Clients.RunAsync(Connections, Step, (_, more) => Json(target, more), cancellationToken)).Sum();
            still = turns > best * Steady ? 0 : still + 1;
            best = Math.Max(best, turns);
        }
    }

    /// <summary>JSON turns for a moment: enough for a process whose memory is to be looked at.</summary>
    public static Task BrieflyAsync(Target target, CancellationToken cancellationToken) =>
        Clients.RunAsync(8, 2 * Step, (_, more) => Json(target, more), cancellationToken);

    private static int Json(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        var turns = 0;
        while (more())
        {
            turns += client.RunJson(target.Requests.Json) ? 1 : 0;
        }
        return turns;
    }

    private static int Streams(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        while (more())
        {
            _ = client.RunStream(target.Requests.Burst);
        }
        return 0;
    }

    private static int Sockets(Target target, Func<bool> more)
    {
        using var client = new SocketClient(target);
        while (more())
        {
            _ = client.Run();
        }
        return 0;
    }
}
