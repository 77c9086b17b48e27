using System.Runtime.CompilerServices;

namespace Testing;

/// <summary>Waits for conditions: tests never wait for time.</summary>
public static class Eventually
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);

    /// <summary>Returns the first value that satisfies; fails with the condition's text and the last value after the limit (default 20 s).</summary>
    public static async Task<T> GetAsync<T>(
        Func<Task<T>> read, Func<T, bool> satisfies, TimeSpan? limit = null, [CallerArgumentExpression(nameof(satisfies))] string? condition = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var value = await read();
            if (satisfies(value))
            {
                return value;
            }
            if (TimeProvider.System.GetElapsedTime(began) > (limit ?? TimeSpan.FromSeconds(20)))
            {
                throw new TimeoutException($"Still not: {condition}. Last value: {Show(value)}");
            }
            await Task.Delay(Poll, TimeProvider.System);
        }
    }

    /// <summary>Returns when the condition holds; fails after the limit (default 20 s).</summary>
    public static Task TrueAsync(Func<Task<bool>> holds, TimeSpan? limit = null, [CallerArgumentExpression(nameof(holds))] string? condition = null) =>
        GetAsync(holds, value => value, limit, condition);

    /// <summary>Returns when the condition holds; fails after the limit (default 20 s).</summary>
    public static Task TrueAsync(Func<bool> holds, TimeSpan? limit = null, [CallerArgumentExpression(nameof(holds))] string? condition = null) =>
        GetAsync(() => Task.FromResult(holds()), value => value, limit, condition);

    /// <summary>Repeats an attempt until it does not throw; after the limit (default 20 s) its last exception is thrown on.</summary>
    public static async Task SucceedsAsync(Func<Task> attempt, TimeSpan? limit = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception) when (TimeProvider.System.GetElapsedTime(began) < (limit ?? TimeSpan.FromSeconds(20)))
            {
                await Task.Delay(Poll, TimeProvider.System);
            }
        }
    }

    private static string? Show<T>(T value) => value is System.Collections.IEnumerable many and not string ? string.Join(", ", many.Cast<object>()) : value?.ToString();
}
