using System.Diagnostics;

namespace Benchmarks.Load;

/// <summary>The clients of a round: each runs turns, one after the other, until the round is over.</summary>
internal static class Clients
{
    /// <summary>Runs them side by side, each on a thread of its own, and returns what each has measured.</summary>
    /// <param name="count">How many.</param>
    /// <param name="duration">After it nobody begins another turn.</param>
    /// <param name="client">One of them: its number, and whether there is time for another turn.</param>
    /// <param name="cancellationToken">Ends the round early.</param>
    public static async Task<T[]> RunAsync<T>(int count, TimeSpan duration, Func<int, Func<bool>, T> client, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var results = await Task.WhenAll(Enumerable.Range(0, count).Select(number => Task.Factory.StartNew(
            () => client(number, () => Stopwatch.GetElapsedTime(began) < duration && !cancellationToken.IsCancellationRequested),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        cancellationToken.ThrowIfCancellationRequested();
        return results;
    }
}
