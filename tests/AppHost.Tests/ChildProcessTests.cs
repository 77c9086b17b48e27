using AppHost.LocalRuntime.Processes;
using Testing;
using Testing.Processes;

namespace AppHost.Tests;

public sealed class ChildProcessTests
{
    [Fact]
    public async Task Output_environment_and_exit_code_arrive()
    {
        var output = new CapturedOutput();
        using var child = Shell("echo \"$A\"; echo err >&2; env | grep a.b; exit 3", output, new() { ["A"] = "value", ["a.b"] = "dotted" });

        Assert.Equal(3, await child.Exited);
        Assert.Equal(["a.b=dotted", "err", "value"], output.Lines.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_child_leads_its_own_session()
    {
        var output = new CapturedOutput();
        using var child = Shell("ps -o sid= -p $$", output);

        Assert.Equal(0, await child.Exited);
        Assert.Equal(child.Id.ToString(System.Globalization.CultureInfo.InvariantCulture), output.Lines.Single().Trim());
    }

    [Fact]
    public async Task A_polite_child_ends_by_itself()
    {
        var output = new CapturedOutput();
        using var child = Shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done", output);
        await Eventually.TrueAsync(() => output.Lines.Contains("up"));

        Assert.Equal(0, await child.StopAsync(CancellationToken.None));
        Assert.Contains("bye", output.Lines);
    }

    [Fact]
    public async Task A_stubborn_child_is_killed_with_its_group()
    {
        var output = new CapturedOutput();
        using var child = Shell("trap '' TERM; sleep 300 & echo $!; while :; do sleep 0.02; done", output, grace: TimeSpan.FromMilliseconds(100));
        await Eventually.TrueAsync(() => output.Lines.Count == 1);

        Assert.Equal(128 + 9, await child.StopAsync(CancellationToken.None));
        var grandchild = int.Parse(output.Lines[0], System.Globalization.CultureInfo.InvariantCulture);
        await Eventually.TrueAsync(() => !ProcessSignals.IsRunning(grandchild));
    }

    [Fact]
    public async Task A_child_that_crashes_leaves_no_grandchild()
    {
        var output = new CapturedOutput();
        using var child = Shell("sleep 300 >/dev/null 2>&1 & echo $!; exit 1", output);

        Assert.Equal(1, await child.Exited);
        var grandchild = int.Parse(output.Lines[0], System.Globalization.CultureInfo.InvariantCulture);
        await Eventually.TrueAsync(() => !ProcessSignals.IsRunning(grandchild));
    }

    private static ChildProcess Shell(
        string script, CapturedOutput output, Dictionary<string, string>? environment = null, TimeSpan? grace = null) =>
        ChildProcess.Start(
            new Launch("/bin/bash", ["-c", script])
            {
                Environment = new Dictionary<string, string>(environment ?? []) { ["PATH"] = Environment.GetEnvironmentVariable("PATH")! },
                Grace = grace ?? TimeSpan.FromSeconds(15),
            },
            output.Add,
            TimeProvider.System);
}
