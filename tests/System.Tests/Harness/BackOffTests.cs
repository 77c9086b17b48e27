using Testing.Processes;

namespace WholeSystem.Harness;

public sealed class BackOffTests
{
    [Fact]
    public void Waits_double_up_to_ten_seconds()
    {
        var backOff = new BackOff();

        Assert.Equal([0.25, 0.5, 1, 2, 4, 8, 10, 10], Enumerable.Range(0, 8).Select(_ => backOff.Next(TimeSpan.Zero).TotalSeconds));
    }

    [Fact]
    public void A_calm_while_makes_the_next_wait_short_again()
    {
        var backOff = new BackOff();
        _ = backOff.Next(TimeSpan.Zero);
        _ = backOff.Next(TimeSpan.Zero);

        Assert.Equal([0.25, 0.5], [backOff.Next(BackOff.Calm).TotalSeconds, backOff.Next(TimeSpan.Zero).TotalSeconds]);
    }
}
