using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Sockets;

/// <summary>Codex takes no notice of an error frame without a numeric status, and waits for minutes.</summary>
public sealed class ErrorStatusTests
{
    [Theory]
    [InlineData("""{"type":"error","error":{"code":"server_error","message":"ü"}}""", """{"status":500,"type":"error","error":{"code":"server_error","message":"ü"}}""")]
    [InlineData("""{"type":"error", "status" : null ,"error":{"type":"invalid_request_error","message":"m"}}""", """{"type":"error", "status" : 400 ,"error":{"type":"invalid_request_error","message":"m"}}""")]
    [InlineData("""{"type":"error","status":"422","error":{"message":"m"}}""", """{"type":"error","status":422,"error":{"message":"m"}}""")]
    [InlineData("""{"type":"error","status":{"a":1},"error":{"message":"m","type":"permission_error"}}""", """{"type":"error","status":403,"error":{"message":"m","type":"permission_error"}}""")]
    [InlineData("""{"type":"error","status_code":418,"error":{"message":"m"}}""", """{"status":418,"type":"error","status_code":418,"error":{"message":"m"}}""")]
    [InlineData("""  { "type":"error","code":"context_length_exceeded","message":"m","param":null,"sequence_number":1}""", """  {"status":400, "type":"error","code":"context_length_exceeded","message":"m","param":null,"sequence_number":1}""")]
    [InlineData("""{"type":"\u0065rror","error":{"code":"odd"}}""", """{"status":502,"type":"\u0065rror","error":{"code":"odd"}}""")]
    [InlineData("""{"type":"error","status":400,"error":{"code":"odd"}}""", """{"type":"error","status":400,"error":{"code":"odd"}}""")]
    public async Task An_error_frame_always_has_one(string sent, string seen)
    {
        foreach (var after in (Position[])[Position.Start, Position.Created])
        {
            await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Writes(sent, after).Leaves(after)));
            using var socket = await edge.ConnectAsync();
            await socket.CreateAsync();
            if (after == Position.Created)
            {
                await socket.UntilAsync("response.created");
            }
            Assert.Equal(seen, await socket.ReceiveAsync());
        }
    }

    [Fact]
    public async Task On_a_lane_too()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Sim.Script(rule => rule.Writes("""{"type":"error","error":{"code":"server_error"}}""").Leaves()));
        using var socket = await edge.ConnectAsync();
        await socket.CreateAsync(lane: "a");
        SocketTurnTests.AssertError(await socket.UntilAsync("error"), 500, "server_error", "a");
    }
}
