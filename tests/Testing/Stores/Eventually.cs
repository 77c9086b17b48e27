namespace Testing.Stores;

/// <summary>Waits for conditions, never for fixed times.</summary>
public static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits until a condition holds.</summary>
    /// <exception cref="TimeoutException">It did not within the bound (10 s by default).</exception>
    public static Task TrueAsync(Func<bool> condition, TimeSpan? bound = null) => TrueAsync(() => Task.FromResult(condition()), bound);

    /// <inheritdoc cref="TrueAsync(Func{bool}, TimeSpan?)"/>
    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan? bound = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > (bound ?? TimeSpan.FromSeconds(10)))
            {
                throw new TimeoutException("What the test waits for did not happen in time.");
            }
            await Task.Delay(Pause, TimeProvider.System);
        }
    }

    /// <summary>Repeats an attempt until it does not throw; after the bound its last exception is thrown on.</summary>
    public static async Task SucceedsAsync(Func<Task> attempt, TimeSpan? bound = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception) when (TimeProvider.System.GetElapsedTime(began) < (bound ?? TimeSpan.FromSeconds(10)))
            {
                await Task.Delay(Pause, TimeProvider.System);
            }
        }
    }
}
