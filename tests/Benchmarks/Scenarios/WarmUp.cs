using Benchmarks.Load;

namespace Benchmarks.Scenarios;

/// <summary>Load before the first round: code is compiled again while it runs, for seconds.</summary>
internal static class WarmUp
{
    private const int Most = 12;
    private const double Steady = 1.03;
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    /// <summary>Runs turns of all kinds, each until they get no faster.</summary>
    /// <param name="target">What is to be warm.</param>
    /// <param name="least">Seconds that JSON turns take in any case; the others build on them.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static async Task RunAsync(Target target, int least, CancellationToken cancellationToken)
    {
        await UntilSteadyAsync(32, least, more => Json(target, more), cancellationToken);
        await UntilSteadyAsync(8, least / 2, more => Streams(target, more), cancellationToken);
        await UntilSteadyAsync(8, least / 2, more => Sockets(target, more), cancellationToken);
    }

    /// <summary>JSON turns for a moment: enough for a process whose memory is to be looked at.</summary>
    public static Task BrieflyAsync(Target target, CancellationToken cancellationToken) =>
        Clients.RunAsync(8, 2 * Step, (_, more) => Json(target, more), cancellationToken);

    private static async Task UntilSteadyAsync(int clients, int least, Func<Func<bool>, int> client, CancellationToken cancellationToken)
    {
        var best = 0;
        for (var (second, still) = (0, 0); second < Most && (second < least || still < 2); second++)
        {
            var turns = (await Clients.RunAsync(clients, Step, (_, more) => client(more), cancellationToken)).Sum();
            still = turns > best * Steady ? 0 : still + 1;
            best = Math.Max(best, turns);
        }
    }

    private static int Json(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        return Count(more, () => client.RunJson(target.Requests.Json));
    }

    private static int Streams(Target target, Func<bool> more)
    {
        using var client = new TurnClient(target);
        return Count(more, () => client.RunStream(target.Requests.Burst));
    }

    private static int Sockets(Target target, Func<bool> more)
    {
        using var client = new SocketClient(target);
        return Count(more, client.Run);
    }

    private static int Count(Func<bool> more, Func<bool> turn)
    {
        var turns = 0;
        while (more())
        {
            turns += turn() ? 1 : 0;
        }
        return turns;
    }
}
