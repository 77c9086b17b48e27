using Microsoft.Extensions.DependencyInjection;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Owners;

namespace Proxy.Continuity.Tests;

/// <summary>Which row answers where an id has several.</summary>
public sealed class OwnerHistoryTests : StoresTest
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    [Theory]
    // The asking session's rows count first, the newest of them; then all.
    [InlineData("old", "old-2")]
    [InlineData("new", "new-1")]
    [InlineData("another", "new-1")]
    // Blank is no session: it does not look for rows without one, nor does what no row can hold.
    [InlineData(null, "new-1")]
    [InlineData("", "new-1")]
    [InlineData("  ", "new-1")]
    [InlineData("old\0", "new-1")]
    public async Task Rows_of_the_asking_session_count_first_and_then_the_newest(string? sessionId, string account)
    {
        await Host.IngestAsync(
            Row("old", "old-1", minutesAgo: 40), Row("old", "old-2", minutesAgo: 30), Row(null, "none-1", minutesAgo: 20), Row("new", "new-1", minutesAgo: 10),
            Row("old", "failed", minutesAgo: 5) with { Status = TurnStatus.Failed }, Row("old", "no-domain", minutesAgo: 4) with { Domain = null });

        var answer = await Host.ResolveAsync(new ResolveRequest("key-1", null, [new(OwnedKinds.Response, "resp_1")], sessionId));

        Assert.Equal(account, Assert.Single(answer.Owners).Owner?.AccountId);
    }

    [Fact]
    public async Task Each_of_several_ids_is_answered_once()
    {
        await Host.IngestAsync(Row("s", "a", 2), Row("t", "b", 1), Row("t", "c", 1) with { RequestId = "resp_2" });

        var found = await Host.Services.GetRequiredService<OwnerHistory>().FindAsync(["resp_1", "resp_2", "resp_3"], "s", default);

        Assert.Equal(["resp_1 a", "resp_2 c"], found.Select(pair => $"{pair.Key} {pair.Value.AccountId}").Order(StringComparer.Ordinal));
    }

    private static RequestLogRow Row(string? sessionId, string accountId, int minutesAgo) =>
        Some.Row("resp_1", at: Now.AddMinutes(-minutesAgo)) with { SessionId = sessionId, AccountId = accountId };
}
