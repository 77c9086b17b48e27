namespace Benchmarks.Measuring;

/// <summary>Reads what processes have used of the processor during a round and in its wake.</summary>
internal sealed class Costs
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(15);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly IReadOnlyList<MeasuredProcess> _processes;
    private readonly TimeSpan[] _before;

    private Costs(IReadOnlyList<MeasuredProcess> processes) => (_processes, _before) = (processes, Read(processes));

    /// <summary>Begins to count.</summary>
    public static Costs Begin(IReadOnlyList<MeasuredProcess> processes) => new(processes);

    /// <summary>
    /// Waits until the processes rest, since a turn is booked after its end and the next round is another target's; what each has used by then.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, TimeSpan>> EndAsync(CancellationToken cancellationToken)
    {
        await SettleAsync(_processes, cancellationToken);
        var after = Read(_processes);
        return _processes.Select((process, index) => (process.Name, Used: after[index] - _before[index])).ToDictionary(one => one.Name, one => one.Used);
    }

    /// <summary>Waits until processes rest.</summary>
    public static async Task SettleAsync(IReadOnlyList<MeasuredProcess> processes, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        for (var last = Total(processes); TimeProvider.System.GetElapsedTime(began) < Limit;)
        {
            await Task.Delay(Look, TimeProvider.System, cancellationToken);
            var now = Total(processes);
            if (now - last < Quiet)
            {
                return;
            }
            last = now;
        }
    }

    private static TimeSpan[] Read(IReadOnlyList<MeasuredProcess> processes) => [.. processes.Select(process => process.ProcessorTime())];

    private static TimeSpan Total(IReadOnlyList<MeasuredProcess> processes) => Read(processes).Aggregate(TimeSpan.Zero, (sum, one) => sum + one);
}
