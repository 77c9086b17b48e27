using System.Text;

namespace Clients.Tests;

/// <summary>Codex over HTTP, carried over a session: its body goes up in a frame, and each event comes down as the bytes it was.</summary>
[Collection(ClientCollection.Name)]
public sealed class SessionTransparencyTests(ClientSystem system)
{
    [NeedsNpmFact]
    public async Task Bodies_go_in_frames_and_events_come_as_they_are()
    {
        using var codex = await Codex.CreateAsync(system.BaseAddress, overWebSocket: false);
        var (frontBefore, behindBefore) = (Turns(system.Front).Count, Turns(system.Behind).Count);
        await codex.ExecAsync("compare the bytes");
        await codex.ResumeAsync("and again");

        var (asked, sockets) = (Turns(system.Front).Skip(frontBefore).ToList(), Turns(system.Behind).Skip(behindBefore).ToList());
        Assert.Equal(2, asked.Count);
        Assert.All(sockets, socket => Assert.True(socket.IsWebSocket));
        // A body's first brace opens the frame, and everything behind it is the same.
        Assert.Equal(asked.Select(turn => """{"type":"response.create",""" + Encoding.UTF8.GetString(turn.RequestBody)[1..]), sockets.SelectMany(socket => socket.ClientFrames));
        Assert.Equal(
            sockets.SelectMany(socket => socket.ServerFrames),
            asked.SelectMany(turn => Encoding.UTF8.GetString(turn.ResponseBody).Split('\n')).Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..]));
    }

    private static List<HttpExchange> Turns(Tap tap) => [.. tap.Exchanges.Where(exchange => exchange.RequestLine.Contains("/responses", StringComparison.Ordinal))];
}
