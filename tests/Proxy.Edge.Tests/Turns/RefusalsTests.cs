using Proxy.Accounts.Contracts;
using Proxy.Edge.Recovery;

namespace Proxy.Edge.Tests.Turns;

public sealed class RefusalsTests
{
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly Dictionary<RefusalReason, (int Status, string Code)> Answers = new()
    {
        [RefusalReason.UnknownKey] = (401, "invalid_api_key"),
        [RefusalReason.ModelNotAllowed] = (403, "model_not_allowed"),
        [RefusalReason.NoAccounts] = (503, "no_accounts"),
        [RefusalReason.NoOther] = (503, "no_accounts"),
        [RefusalReason.ModelNotServed] = (404, "model_not_found"),
        [RefusalReason.NoWebSockets] = (426, "websockets_unavailable"),
        [RefusalReason.OwnerGone] = (502, "upstream_unavailable"),
        [RefusalReason.OwnerCooling] = (502, "upstream_unavailable"),
        [RefusalReason.AllCooling] = (429, "usage_limit_reached"),
        [RefusalReason.AtCapacity] = (429, "concurrency_limit_reached"),
        [RefusalReason.Recovering] = (503, "admission_unavailable"),
    };

    [Fact]
    public void Every_reason_has_its_answer()
    {
        foreach (var reason in Enum.GetValues<RefusalReason>())
        {
            var error = Refusals.Explain(new AdmissionRefusal(reason, null), "m", Now);
            Assert.Equal(Answers[reason], (error.Status, error.Code));
        }
    }

    [Fact]
    public void No_answer_is_a_service_that_is_away()
    {
        var error = Refusals.Explain(null, "m", Now);
        Assert.Equal((503, "service_unavailable", 1.0), (error.Status, error.Code, error.RetryAfter!.Value.TotalSeconds));
    }

    // Clients obey any Retry-After and would hang for hours.
    [Theory]
    [InlineData(-5, 1.0, null)]
    [InlineData(30, 30.0, null)]
    [InlineData(60, 60.0, null)]
    [InlineData(61, null, false)]
    [InlineData(86_400, null, false)]
    [InlineData(null, null, false)]
    public void An_exhausted_pool_lets_clients_wait_for_a_minute_at_most(int? seconds, double? retryAfter, bool? shouldRetry)
    {
        DateTimeOffset? until = seconds is { } wait ? Now.AddSeconds(wait) : null;
        var error = Refusals.Explain(new AdmissionRefusal(RefusalReason.AllCooling, until), "m", Now);
        Assert.Equal((retryAfter, shouldRetry, until), (error.RetryAfter?.TotalSeconds, error.ShouldRetry, error.ResetsAt));
    }
}
