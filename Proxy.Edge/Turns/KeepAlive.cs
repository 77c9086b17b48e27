namespace Proxy.Edge.Turns;

/// <summary>Awaits what may take long, with keep-alives to whoever waits behind us.</summary>
internal static class KeepAlive
{
    /// <summary>The work's result. Every <paramref name="interval"/> until then, while <paramref name="isSilent"/>, life is shown.</summary>
    public static async Task<T> AwaitAsync<T>(Task<T> work, TimeSpan interval, TimeProvider time, Func<bool> isSilent, Func<Task> showLife)
    {
        while (isSilent() && !work.IsCompleted)
        {
            try
            {
                return await work.WaitAsync(interval, time);
            }
            catch (TimeoutException)
            {
                // Ours, or the work's own; and the silence may just have ended.
                if (!work.IsCompleted && isSilent())
                {
                    await showLife();
                }
            }
        }
        return await work;
    }
}
