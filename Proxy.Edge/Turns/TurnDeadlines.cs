using Microsoft.Extensions.Options;
using Proxy.Edge.Callers;
using Proxy.Edge.Lifecycle;

namespace Proxy.Edge.Turns;

/// <summary>Makes the deadlines of turns.</summary>
internal sealed class TurnDeadlines(KeyWatch keys, Drain drain, IOptions<EdgeOptions> options, TimeProvider time)
{
    /// <summary>The turn's, to be disposed at its end.</summary>
    /// <param name="clientLeft">Canceled when its client leaves.</param>
    public TurnDeadline For(Turn turn, CancellationToken clientLeft) => new(turn, options.Value, time, clientLeft, keys, drain.Over);
}
