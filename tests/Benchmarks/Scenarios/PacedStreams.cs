using System.Buffers.Text;
using System.Diagnostics;
using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Targets;
using Benchmarks.Upstream;

namespace Benchmarks.Scenarios;

/// <summary>Streams as models write them, many side by side: how late a delta comes after the upstream has written it.</summary>
internal sealed class PacedStreams : IScenario
{
    private static ReadOnlySpan<byte> Stamp => "\"delta\":\"@"u8;

    public string Name => "paced";

    public async Task RunAsync(Stage stage, Settings settings, Report report, CancellationToken cancellationToken)
    {
        // One stream is as long as its deltas; a round is long enough for all to have begun.
        var duration = TimeSpan.FromSeconds(settings.Seconds) + (Answers.PacedDeltas * HttpTurns.Pace);
        var middle = report.Add(Name, $"{settings.Streams} streams, delay p50", "ms", Comparison.Difference);
        var late = report.Add(Name, $"{settings.Streams} streams, delay p99", "ms", Comparison.Difference);
        await Rounds.RunAsync(stage.Targets, settings.Rounds, async target =>
        {
            var delays = (await Clients.RunAsync(settings.Streams, duration,
                (number, more) => Run(target, number * HttpTurns.Pace / settings.Streams, more, cancellationToken), cancellationToken)).SelectMany(one => one).ToList();
            middle.Add(target.Name, Quartiles.Share(delays, 0.5));
            late.Add(target.Name, Quartiles.Share(delays, 0.99));
        }, cancellationToken);
    }

    private static List<double> Run(Target target, TimeSpan after, Func<bool> more, CancellationToken cancellationToken)
    {
        // Not all at the same moment, over and over.
        _ = cancellationToken.WaitHandle.WaitOne(after);
        using var client = new TurnClient(target);
        var delays = new List<double>(4096);
        while (more())
        {
            var read = 0;
            _ = client.RunStream(target.Requests.Paced, () =>
            {
                var now = Stopwatch.GetTimestamp();
                for (int at; (at = client.Body[read..].IndexOf(Stamp)) >= 0;)
                {
                    var stamp = client.Body[(read + at + Stamp.Length)..];
                    if (stamp.Length < Template.TimeLength)
                    {
                        return;
                    }
                    _ = Utf8Parser.TryParse(stamp[..Template.TimeLength], out long written, out _);
                    delays.Add(Stopwatch.GetElapsedTime(written, now).TotalMilliseconds);
                    read += at + Stamp.Length + Template.TimeLength;
                }
            });
        }
        return delays;
    }
}
