using System.Net;
using Proxy.Continuity.Owners;
using Testing;

namespace Proxy.Continuity.Tests;

public sealed class RejectedAnchorTests : StoresTest
{
    [Fact]
    public async Task The_second_rejection_of_an_anchor_knows_of_the_first()
    {
        Assert.False(await Host.RejectAsync("key-1", "resp_1"));
        Assert.True(await Host.RejectAsync("key-1", "resp_1"));

        Assert.False(await Host.RejectAsync("key-1", "resp_2"));
        Assert.False(await Host.RejectAsync("key-2", "resp_1"));
    }

    [Fact]
    public async Task It_is_remembered_for_ten_minutes_from_the_first_however_often_it_is_repeated()
    {
        await Host.RejectAsync("key-1", "resp_1");
        var key = Assert.Single(Stores.Redis.Keys);
        Assert.InRange((await Stores.Redis.Database.KeyTimeToLiveAsync(key)).GetValueOrDefault(), TimeSpan.FromSeconds(570), TimeSpan.FromMinutes(10));

        // As if nine minutes had passed.
        await Stores.Redis.Database.KeyExpireAsync(key, TimeSpan.FromMinutes(1));
        Assert.True(await Host.RejectAsync("key-1", "resp_1"));
        Assert.InRange((await Stores.Redis.Database.KeyTimeToLiveAsync(key)).GetValueOrDefault(), TimeSpan.Zero, TimeSpan.FromMinutes(1));

        await Stores.Redis.Database.KeyDeleteAsync(key);
        Assert.False(await Host.RejectAsync("key-1", "resp_1"));
        Assert.Equal(TimeSpan.FromMinutes(10), RejectedAnchors.Lifetime);
    }

    [Fact]
    public async Task Of_many_that_reject_an_anchor_at_once_one_is_the_first()
    {
        var before = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Host.RejectAsync("key-1", "resp_1")));

        Assert.Single(before, known => !known);
    }

    [Fact]
    public async Task While_redis_is_down_nobody_can_say_and_postgres_is_not_needed()
    {
        Stores.Postgres.Gate.Close();
        Assert.False(await Host.RejectAsync("key-1", "resp_1"));
        Stores.Redis.Gate.Close();

        using var response = await Host.PostRejectAsync("key-1", "resp_1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);

        Stores.Redis.Gate.Open();
        await Eventually.SucceedsAsync(() => Host.RejectAsync("key-1", "resp_1"));
        Assert.True(await Host.RejectAsync("key-1", "resp_1"));
    }
}
