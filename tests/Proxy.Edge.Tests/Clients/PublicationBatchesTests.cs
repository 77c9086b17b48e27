using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Http;
using Testing;

namespace Proxy.Edge.Tests.Clients;

public sealed class PublicationBatchesTests : IAsyncLifetime
{
    private const int OnTheWay = 8;

    private readonly FakeContinuity _continuity = new();
    private HttpClient _http = null!;
    private PublicationBatches _batches = null!;

    public async Task InitializeAsync()
    {
        await _continuity.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_continuity.Address), DefaultRequestHeaders = { { InternalToken.Header, FakeService.Token } } };
        _batches = new PublicationBatches(new ContinuityClient(_http));
    }

    public async Task DisposeAsync()
    {
        await _batches.WhenSentAsync();
        _http.Dispose();
        await _continuity.DisposeAsync();
    }

    [Fact]
    public async Task What_comes_while_others_are_on_their_way_goes_together()
    {
        var gate = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        _continuity.OnPublish = _ => gate.Task;
        var published = Enumerable.Range(0, 302).Select(number => PublishAsync($"resp_{number}")).ToList();
        await Eventually.TrueAsync(() => _continuity.Batches.Count == OnTheWay);
        gate.SetResult(204);

        Assert.All(await Task.WhenAll(published), one => Assert.Equal(Publication.Done, one));
        Assert.Equal(302, _continuity.Published.Count);
        // The first alone, then as many as may be, and the rest.
        Assert.Equal([.. Enumerable.Repeat(1, OnTheWay), 302 - OnTheWay - 256, 256], _continuity.Batches.Order());
    }

    [Fact]
    public async Task Each_of_a_batch_is_told_its_own_outcome()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _continuity.OnPublish = async request =>
        {
            await gate.Task;
            return request.Id.Id switch { "resp_2" => 409, "resp_3" => 503, "resp_4" => 400, _ => 204 };
        };
        var before = Enumerable.Range(0, OnTheWay).Select(number => PublishAsync($"resp_before_{number}")).ToList();
        var published = Enumerable.Range(1, 5).Select(number => PublishAsync($"resp_{number}")).ToList();
        await Eventually.TrueAsync(() => _continuity.Batches.Count == OnTheWay);
        gate.SetResult();

        Assert.Equal([Publication.Done, Publication.Taken, Publication.Failed, Publication.Done, Publication.Done], await Task.WhenAll(published));
        Assert.All(await Task.WhenAll(before), one => Assert.Equal(Publication.Done, one));
        Assert.Equal([.. Enumerable.Repeat(1, OnTheWay), 5], _continuity.Batches.Order());
    }

    // As while one version takes the place of another.
    [Fact]
    public async Task To_a_service_that_takes_no_batches_each_is_sent_alone()
    {
        _continuity.TakesBatches = false;
        Assert.Equal([Publication.Done, Publication.Done], await Task.WhenAll(PublishAsync("resp_1"), PublishAsync("resp_2")));
        Assert.Equal(2, _continuity.Published.Count);
    }

    // A row in Postgres, or a claim on a session, may take longer.
    [Fact]
    public async Task What_needs_more_than_redis_goes_alone()
    {
        Assert.Equal(Publication.Done, await _batches.PublishAsync(Some("vs_1", OwnedKinds.VectorStore), CancellationToken.None));
        Assert.NotEqual(Publication.Failed, await _batches.PublishAsync(Some("resp_1") with { Claim = new SessionClaim("session", "edge", 1) }, CancellationToken.None));
        Assert.Empty(_continuity.Batches);
    }

    [Fact]
    public async Task What_waits_is_bounded_by_its_ids()
    {
        var gate = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        _continuity.OnPublish = _ => gate.Task;
        var many = Some("resp") with { With = [.. Enumerable.Range(0, ContinuityRoutes.MaxPublishedWith - 1).Select(item => new OwnedId(OwnedKinds.Item, $"msg_{item}"))] };
        var published = Enumerable.Range(0, OnTheWay + 200).Select(_ => _batches.PublishAsync(many, CancellationToken.None)).ToList();
        Assert.Equal(200 - (50_000 / 256), published.Count(one => one.IsCompleted));
        gate.SetResult(204);
        var outcomes = await Task.WhenAll(published);
        Assert.Equal(200 - (50_000 / 256), outcomes.Count(outcome => outcome == Publication.Failed));
    }

    [Fact]
    public async Task A_service_that_is_away_fails_all_that_wait_and_takes_the_next()
    {
        _continuity.OnPublish = _ => Task.FromResult(503);
        Assert.Equal(Publication.Failed, await PublishAsync("resp_1"));
        _continuity.OnPublish = _ => Task.FromResult(204);
        Assert.Equal(Publication.Done, await PublishAsync("resp_1"));
    }

    private Task<Publication> PublishAsync(string id) => _batches.PublishAsync(Some(id), CancellationToken.None);

    private static PublishRequest Some(string id, string kind = OwnedKinds.Response) =>
        new(new OwnedId(kind, id), new OwnerRecord("key-1", "acc-a", "dom-a", null, Stored: true, null), Scope: null);
}
