using System.Globalization;
using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Recovery.Randomised;

/// <summary>
/// What a run leaves when something went wrong: what each client got, what went over upstream's sockets, and the rows. The times are what matters, since the same
/// seed goes well on a machine that has less to do.
/// </summary>
internal static class Transcript
{
    private const int MostOfAFrame = 400;

    /// <summary>Writes it beside the tests and returns the file's name.</summary>
    public static string Write(RunningEdge edge, Plan plan, Seen seen, string name)
    {
        var path = Path.Combine(AppContext.BaseDirectory, string.Create(CultureInfo.InvariantCulture, $"randomised-{name}.txt"));
        using var file = new StreamWriter(path);
        foreach (var violation in seen.Violations)
        {
            file.WriteLine(violation);
        }
        foreach (var turn in plan.Turns.OrderBy(turn => turn.Number))
        {
            file.WriteLine($"{turn.Marker} {turn.Fault?.Name} x{turn.Times}, anchor {turn.Anchoring} {seen.Anchors.GetValueOrDefault(turn.Number)}, stored {turn.Store}, "
                + $"{(seen.Endings.TryGetValue(turn.Number, out var ending) ? ending : null)}: {seen.Got.GetValueOrDefault(turn.Number)}");
        }
        foreach (var row in edge.Continuity.Rows.OrderBy(row => row.RequestedAt))
        {
            file.WriteLine($"{row.RequestedAt:HH:mm:ss.fff} {row.SessionId} {row.Status} {row.ErrorCode} {row.AccountId} {row.RequestId} {row.DurationMs} ms {row.Continuity}");
        }
        var frames = edge.Sim.Recorded.Sockets.SelectMany((socket, number) => socket.Frames.Select(frame => (frame.At, number, socket.Account, frame.FromClient, frame.Text)));
        foreach (var (at, number, account, fromEdge, text) in frames.OrderBy(frame => frame.At))
        {
            file.WriteLine($"{at:HH:mm:ss.fff} {account}{number} {(fromEdge ? '>' : '<')} {text[..Math.Min(MostOfAFrame, text.Length)]}");
        }
        return path;
    }
}
