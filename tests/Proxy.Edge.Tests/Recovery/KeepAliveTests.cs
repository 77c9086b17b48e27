using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>Keep-alives are for responses that have not begun; the beats of one that has not are the clock for one that has.</summary>
public sealed class KeepAliveTests
{
    private const string Beat = """{"type":"keepalive"}""";

    private static readonly string[] Quick = ["Edge:ConnectSeconds=5", "Edge:KeepAliveSeconds=0.1", "Edge:CreatedSeconds=15", "Edge:IdleSeconds=20", "Edge:TurnSeconds=30"];

    [Fact]
    public async Task On_a_socket_a_response_that_has_begun_gets_none()
    {
        await using var edge = await RunningEdge.StartAsync(Stalling, Quick);
        using (var begun = await edge.ConnectAsAsync(codex: true))
        {
            await begun.SendAsync(Asking.Frame("begins"));
            await begun.UntilAsync("response.created");
            using var other = await edge.ConnectAsAsync(codex: true);
            await other.SendAsync(Asking.Frame("silent"));
            for (var beat = 0; beat < 3; beat++)
            {
                Assert.Equal(Beat, await other.ReceiveAsync());
            }
            edge.Sim.Release();
            Assert.DoesNotContain(Beat, await begun.UntilTerminalAsync());
            await other.UntilTerminalAsync();
        }
        await edge.NothingIsLeftAsync(turns: 2);
    }

    [Fact]
    public async Task In_a_stream_a_response_that_has_begun_gets_none()
    {
        await using var edge = await RunningEdge.StartAsync(Stalling, Quick);
        using var begun = await edge.PostAsync(Asking.HttpBody(Asking.Frame("begins")));
        using var reader = new StreamReader(await begun.Content.ReadAsStreamAsync());
        var text = "";
        while (!text.Contains("response.created", StringComparison.Ordinal))
        {
            text = await reader.ReadLineAsync() ?? throw new IOException("Closed.");
        }
        using var other = await edge.PostAsync(Asking.HttpBody(Asking.Frame("silent")));
        using var beats = new StreamReader(await other.Content.ReadAsStreamAsync());
        for (var line = 0; line < 6; line++)
        {
            Assert.Equal(line % 2 == 0 ? ": keep-alive" : "", await beats.ReadLineAsync());
        }
        edge.Sim.Release();
        var rest = await reader.ReadToEndAsync();
        Assert.DoesNotContain("keep-alive", rest, StringComparison.Ordinal);
        Assert.Contains("response.completed", rest, StringComparison.Ordinal);
        Assert.Contains("response.completed", await beats.ReadToEndAsync(), StringComparison.Ordinal);
        await edge.NothingIsLeftAsync(turns: 2);
    }

    private static void Stalling(RunningEdge edge)
    {
        edge.Sim.Script(rule => rule.When(when => when with { Contains = "begins" }).Stalls(Position.Created));
        edge.Sim.Script(rule => rule.When(when => when with { Contains = "silent" }).Stalls());
    }
}
