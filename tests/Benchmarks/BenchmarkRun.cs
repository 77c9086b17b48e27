using System.ComponentModel;
using System.Diagnostics;
using Benchmarks.Load;
using Benchmarks.Measuring;
using Benchmarks.Reports;
using Benchmarks.Scenarios;
using Benchmarks.Targets;
using Testing.Processes;

namespace Benchmarks;

/// <summary>A whole run: everything is started, warmed and measured, and the report is written.</summary>
internal static class BenchmarkRun
{
    // A gateway that has just been started gets faster for about this long.
    private const int SecondsToWarm = 7;
    private const int SecondsToWarmHop = 3;

    private static readonly IScenario[] All = [new JsonTurns(), new Streams(), new FollowUps(), new SocketTurns(), new PacedStreams(), new Memory()];

    /// <summary>Runs it; the exit code.</summary>
    public static async Task<int> RunAsync(Settings settings, CancellationToken cancellationToken)
    {
        if (settings.Only.FirstOrDefault(name => All.All(scenario => scenario.Name != name)) is { } unknown)
        {
            throw new FormatException($"No scenario: {unknown}");
        }
        var load = MachineLoad.Now();
        if (load > MachineLoad.Quiet)
        {
            await Console.Error.WriteLineAsync($"Others are at work on this machine (load {load:0.0}): the figures will say little.");
        }
        var began = TimeProvider.System.GetTimestamp();
        await Console.Error.WriteLineAsync($"Starting: an upstream, a YARP hop, a gateway with {Stage.Redis} and PostgreSQL.");
        await using var stage = await Stage.StartAsync(cancellationToken);
        await Console.Error.WriteLineAsync("Warming up.");
        // The upstream gets warm behind the others.
        foreach (var target in (Target[])[stage.Yarp, stage.Ours])
        {
            await WarmUp.RunAsync(target, target == stage.Ours ? SecondsToWarm : SecondsToWarmHop, cancellationToken);
        }
        var warm = new GatewayWarnings(stage.Gateway.Output);
        var report = new Report();
        foreach (var scenario in All.Where(scenario => settings.Only.Count == 0 || settings.Only.Contains(scenario.Name)))
        {
            await Console.Error.WriteLineAsync($"Measuring: {scenario.Name} ({TimeProvider.System.GetElapsedTime(began).TotalSeconds:0} s so far).");
            await scenario.RunAsync(stage, settings, report, cancellationToken);
        }
        var outcome = await Outcome.OfAsync(stage, cancellationToken);
        var commit = await CommitAsync(cancellationToken);
        Console.WriteLine($"{TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm} UTC, commit {commit ?? "unknown"}, {Environment.ProcessorCount} cores, load {load:0.0} before, {Stage.Redis}, {settings.Rounds} rounds of {settings.Seconds} s; medians [quartiles]");
        Console.WriteLine();
        Console.WriteLine(TextTable.Of(report));
        Console.Write(outcome.Text);
        Console.Write(warm.Since(null, "while it was warmed"));
        Console.Write(new GatewayWarnings(stage.Gateway.Output).Since(warm, "while it was measured"));
        if (settings.Json is { } file)
        {
            await File.WriteAllTextAsync(file, JsonReport.Of(report, settings, commit, load, outcome), cancellationToken);
        }
        return outcome.IsGood ? 0 : 1;
    }

    private static async Task<string?> CommitAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["describe", "--always", "--dirty"])
            {
                WorkingDirectory = BuiltPrograms.SolutionDirectory,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var commit = await git.StandardOutput.ReadToEndAsync(cancellationToken);
            await git.WaitForExitAsync(cancellationToken);
            return git.ExitCode == 0 ? commit.Trim() : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
