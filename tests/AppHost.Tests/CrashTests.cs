using Testing;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>What is killed comes back on its port, with all that it had.</summary>
[Collection(RunningAppHostCollection.Name)]
public sealed class CrashTests(RunningAppHost host)
{
    [Fact]
    public async Task Everything_is_killed_at_once_and_a_conversation_goes_on()
    {
        using var client = host.Client(key: await host.MakeKeyAsync("crash"));
        var first = await client.AskAsync("Remember the number 42.");
        string[] names = ["postgres", "redis", "continuity", "accounts", "edge-0"];
        var killed = names.ToDictionary(name => name, host.ProcessOf);

        foreach (var id in killed.Values)
        {
            ProcessSignals.Kill(id);
        }

        foreach (var (name, id) in killed)
        {
            await Eventually.TrueAsync(() => Restarted(name, id), RunningAppHost.Limit);
        }
        await Eventually.SucceedsAsync(() => client.AskAsync("Which number?", first), RunningAppHost.Limit);
    }

    private bool Restarted(string name, int former)
    {
        try
        {
            return host.ProcessOf(name) is var id && id != former && ProcessSignals.IsRunning(id);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
