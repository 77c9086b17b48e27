using System.Diagnostics;
using System.Globalization;
using Testing;
using Testing.Processes;

namespace WholeSystem.Harness;

public sealed class ChildProcessTests
{
    private const string Stubborn = "trap '' TERM; sleep 300 >/dev/null 2>&1 & echo $!; while :; do sleep 0.02; done";

    [Fact]
    public async Task Output_environment_and_exit_code_arrive()
    {
        var output = new CapturedOutput();
        using var child = Shell("echo \"$A\"; echo err >&2; env | grep a.b; exit 3", output, new() { ["A"] = "value", ["a.b"] = "dotted" });

        Assert.Equal(3, await child.Exited);
        Assert.Equal(["a.b=dotted", "err", "value"], output.Lines.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_shells_configuration_and_credentials_stay_outside()
    {
        Dictionary<string, string> shell = new() { ["PATH"] = "/bin", ["OPENAI_API_KEY"] = "sk", ["HTTPS_PROXY"] = "http://p", ["Drain__Seconds"] = "1", ["ASPNETCORE_URLS"] = "http://*:80" };

        Assert.Equal(["PATH"], ChildEnvironment.Filter(shell).Keys);
    }

    [Fact]
    public async Task A_child_leads_its_own_session()
    {
        var output = new CapturedOutput();
        using var child = Shell("ps -o sid= -p $$", output);

        Assert.Equal(0, await child.Exited);
        Assert.Equal(child.Id.ToString(CultureInfo.InvariantCulture), output.Lines.Single().Trim());
    }

    [Fact]
    public async Task A_child_ends_with_its_group()
    {
        var output = new CapturedOutput();
        using var child = Shell(Stubborn, output);
        var grandchild = await FirstNumberAsync(output);

        Assert.Equal(128 + 9, await child.EndAsync());
        await Eventually.TrueAsync(() => !ProcessSignals.IsRunning(grandchild));
    }

    [Fact]
    public async Task A_child_that_crashes_leaves_no_grandchild()
    {
        var output = new CapturedOutput();
        using var child = Shell("sleep 300 >/dev/null 2>&1 & echo $!; exit 1", output);

        Assert.Equal(1, await child.Exited);
        var grandchild = await FirstNumberAsync(output);
        await Eventually.TrueAsync(() => !ProcessSignals.IsRunning(grandchild));
    }

    [Fact]
    public async Task What_the_test_process_leaves_behind_ends_with_it_and_its_directory_goes()
    {
        var directory = Directory.CreateTempSubdirectory("guarded-").FullName;
        var command = Guard.Wrap(new Launch("/bin/sh", "-c", Stubborn) { Directory = directory });
        using var process = Process.Start(new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var grandchild = int.Parse((await process.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);

        // As the kernel does at the end of this process.
        process.StandardInput.Close();

        await Eventually.TrueAsync(() => process.HasExited && !ProcessSignals.IsRunning(grandchild) && !Directory.Exists(directory));
    }

    [Fact]
    public async Task What_ends_unasked_is_started_again_until_it_is_disposed_of()
    {
        var process = RestartingProcess.Start("sleeper", new Launch("sleep", "300"));
        var former = process.ProcessId!.Value;
        ProcessSignals.Kill(former);
        var next = await Eventually.GetAsync(() => Task.FromResult(process.ProcessId), id => id is not null && id != former);
        Assert.Contains("sleeper ended with exit code 137; it is started again in 0.25 s", process.Output.ToString(), StringComparison.Ordinal);

        await process.DisposeAsync();

        Assert.Null(process.ProcessId);
        Assert.False(ProcessSignals.IsRunning(next!.Value));
    }

    private static async Task<int> FirstNumberAsync(CapturedOutput output) =>
        int.Parse((await Eventually.GetAsync(() => Task.FromResult(output.Lines), lines => lines.Count > 0))[0], CultureInfo.InvariantCulture);

    private static ChildProcess Shell(string script, CapturedOutput output, Dictionary<string, string>? environment = null) => ChildProcess.Start(
        new Launch("/bin/bash", "-c", script) { Environment = new Dictionary<string, string>(environment ?? []) { ["PATH"] = Environment.GetEnvironmentVariable("PATH")! } },
        output.Add);
}
