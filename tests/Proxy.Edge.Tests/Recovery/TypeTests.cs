using Proxy.Edge.Tests.Fixture;
using Simulator.Scripts;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>JSON lets every character be written as an escape; an event's type is the same however it is written.</summary>
public sealed class TypeTests
{
    private const string Odd = """{"type":"response\u002eodd","sequence_number":1}""";
    private const string Broken = """{"type":"response.odd\n\nevent: x","sequence_number":1}""";
    private const string Completed = """{"type":"response.complet\u0065d","sequence_number":2,"response":{"id":"{response_id}","status":"completed","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}""";

    public static TheoryData<string> Surfaces => EachSurface.All;

    [Theory]
    [MemberData(nameof(Surfaces))]
    public async Task An_event_whose_type_is_written_with_escapes_passes(string surface)
    {
        await using var edge = await EachSurface.StartAsync(surface, edge => edge.Sim.Script(rule =>
        {
            foreach (var json in (string[])[Odd, Broken, Completed])
            {
                rule.Writes(surface == EachSurface.Http ? $"data: {json}\n\n" : json, Position.Created);
            }
            rule.Then(surface == EachSurface.Http ? new EofStep { After = Position.Created } : new LeaveStep { After = Position.Created });
        }));
        var events = await edge.AskAsync(surface, "response.completed");
        Assert.Equal(["response.created", "response.odd", "response.odd\n\nevent: x", "response.completed"], events.Select(one => one.Type()));
        var row = await edge.RowAsync();
        Assert.Equal(("success", 4L), (row.Status, row.OutputTokens));
    }
}
