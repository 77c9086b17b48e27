using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Tests.Turns;

public sealed class QuotaMarksTests
{
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    // resets_at, resets_in_seconds, Retry-After (all in seconds from now) -> the reset believed
    [InlineData(100.0, 200.0, 300.0, 100)]
    [InlineData(null, 200.0, 300.0, 200)]
    [InlineData(null, null, 300.0, 300)]
    [InlineData(null, null, null, 30)]
    [InlineData(-100.0, 200.0, null, 200)]
    [InlineData(0.0, null, 5.0, 5)]
    [InlineData(99_999_999.0, null, 300.0, 300)]
    [InlineData(null, -1.0, null, 30)]
    [InlineData(null, 1e300, null, 30)]
    [InlineData(null, double.NaN, null, 30)]
    [InlineData(null, null, 99_999_999.0, 30)]
    public void The_first_hint_that_can_be_believed_counts(double? resetsAt, double? resetsIn, double? retryAfter, int expected)
    {
        var facts = new ResponseFacts(null, null, "usage_limit_reached", null, resetsAt is { } at ? Now.AddSeconds(at) : null, resetsIn);
        TimeSpan? wait = retryAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        Assert.Equal(Now.AddSeconds(expected), QuotaMarks.ResetOf(facts, wait, Now));
    }

    [Theory]
    [InlineData("rate_limit_exceeded", true)]
    [InlineData("usage_limit_reached", true)]
    [InlineData("insufficient_quota", true)]
    [InlineData("usage_not_included", true)]
    [InlineData("quota_exceeded", true)]
    [InlineData("server_is_overloaded", false)]
    [InlineData("server_error", false)]
    [InlineData("context_length_exceeded", false)]
    [InlineData(null, false)]
    public void Only_five_codes_say_that_an_account_is_exhausted(string? code, bool isQuota) => Assert.Equal(isQuota, QuotaMarks.IsQuota(code));
}
