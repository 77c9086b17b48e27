using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>Our own counters of one edge, by name and tags.</summary>
internal sealed class Counters : IDisposable
{
    /// <summary>The histogram of the GenAI conventions.</summary>
    public const string TokenUsage = "gen_ai.client.token.usage";

    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<(string Name, long Count, KeyValuePair<string, object?>[] Tags)> _counted = new();

    public Counters(IMeterFactory ours)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Other edges of this process have factories of their own.
            if ((instrument.Name.StartsWith("continuity.", StringComparison.Ordinal) || instrument.Name == TokenUsage) && instrument.Meter.Scope == ours)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, count, tags, _) => _counted.Enqueue((instrument.Name, count, tags.ToArray())));
        _listener.Start();
    }

    /// <summary>The sum of a counter where it has all of these tags.</summary>
    public long Of(string name, params (string Name, string Value)[] tags) => _counted
        .Where(one => one.Name == name && tags.All(tag => one.Tags.Any(has => has.Key == tag.Name && (string?)has.Value == tag.Value)))
        .Sum(one => one.Count);

    /// <summary>Everything that was counted under a name, as text: <c>surface=websocket source=redis</c>.</summary>
    public IReadOnlyList<string> All(string name) =>
        [.. _counted.Where(one => one.Name == name).SelectMany(one => Enumerable.Repeat(string.Join(' ', one.Tags.Select(tag => $"{tag.Key}={tag.Value}")), (int)one.Count))];

    /// <summary>What was measured under a name, value by value.</summary>
    public IReadOnlyList<long> Values(string name) => [.. _counted.Where(one => one.Name == name).Select(one => one.Count)];

    public void Dispose() => _listener.Dispose();
}
