namespace AppHost.Tests;

/// <summary>Waits for a condition, never for a time.</summary>
internal static class Eventual
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    public static async Task HoldsAsync(Func<bool> condition, string what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < Limit, $"Not within {Limit.TotalSeconds} s: {what}");
            await Task.Delay(Poll, TimeProvider.System);
        }
    }
}
