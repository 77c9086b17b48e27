using Benchmarks.Load;
using Benchmarks.Measuring;

namespace Benchmarks.Scenarios;

/// <summary>Rounds in turn, so that whatever the machine does meanwhile befalls all targets alike.</summary>
internal static class Rounds
{
    /// <summary>Measures each target in each round; each round begins with another one.</summary>
    public static async Task RunAsync(IReadOnlyList<Target> targets, int rounds, Func<Target, Task> measure, CancellationToken cancellationToken)
    {
        foreach (var target in targets)
        {
            // What was before may have left code to be compiled.
            await Costs.SettleAsync(target.Processes, cancellationToken);
        }
        for (var round = 0; round < rounds; round++)
        {
            for (var place = 0; place < targets.Count; place++)
            {
                var target = targets[(round + place) % targets.Count];
                await measure(target);
                await Costs.SettleAsync(target.Processes, cancellationToken);
            }
        }
    }
}
