using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Targets;

namespace Benchmarks.Scenarios;

/// <summary>What idle WebSockets and silent streams hold of the memory of the process that clients talk to.</summary>
internal sealed class Memory : IScenario
{
    private const int Openers = 8;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    public string Name => "memory";

    public async Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken)
    {
        // A process started anew for each value: more than three say nothing new.
        var rounds = settings.Quick ? 1 : Math.Min(settings.Rounds, 3);
        var sockets = report.Add(Name, $"{settings.Pairs} idle WebSockets", "KiB each", Comparison.Difference);
        await Rounds.RunAsync([stage.Yarp, stage.Ours], rounds, async target =>
            sockets.Add(target.Name, await MeasureAsync(stage, target, settings.Pairs, OpenSocket, cancellationToken)), cancellationToken);
        var streams = report.Add(Name, $"{settings.Pairs} silent streams", "KiB each", Comparison.Difference);
        await Rounds.RunAsync([stage.Yarp, stage.Ours], rounds, async target =>
            streams.Add(target.Name, await MeasureAsync(stage, target, settings.Pairs, BeginStream, cancellationToken)), cancellationToken);
    }

    private static async Task<double> MeasureAsync(Stage stage, Target target, int count, Func<Target, IDisposable> open, CancellationToken cancellationToken)
    {
        await stage.RestartFrontAsync(target, cancellationToken);
        await WarmUp.BrieflyAsync(target, cancellationToken);
        var opened = new List<IDisposable>();
        try
        {
            // The first ones bring code and pools with them, which are nobody's share.
            opened.AddRange(await OpenAsync(target, count / 10, open, cancellationToken));
            var before = await ReadAsync(target, cancellationToken);
            opened.AddRange(await OpenAsync(target, count, open, cancellationToken));
            var after = await ReadAsync(target, cancellationToken);
            return (after - before) / 1024.0 / count;
        }
        finally
        {
            opened.ForEach(one => one.Dispose());
        }
    }

    private static async Task<IEnumerable<IDisposable>> OpenAsync(Target target, int count, Func<Target, IDisposable> open, CancellationToken cancellationToken)
    {
        var left = count;
        return (await Clients.RunAsync(Openers, TimeSpan.MaxValue, (_, more) =>
        {
            var opened = new List<IDisposable>();
            while (more() && Interlocked.Decrement(ref left) >= 0)
            {
                opened.Add(open(target));
            }
            return opened;
        }, cancellationToken)).SelectMany(one => one);
    }

    private static async Task<long> ReadAsync(Target target, CancellationToken cancellationToken)
    {
        await Costs.SettleAsync(target.Processes, cancellationToken);
        await Task.Delay(Rest, TimeProvider.System, cancellationToken);
        return target.Front.ResidentBytes();
    }

    private static SocketClient OpenSocket(Target target)
    {
        var client = new SocketClient(target);
        // The gateway has no socket upstream before there is a turn.
        _ = client.Run();
        return client;
    }

    private static TurnClient BeginStream(Target target)
    {
        var client = new TurnClient(target);
        _ = client.BeginSilent(target.Requests.Silent);
        return client;
    }
}
