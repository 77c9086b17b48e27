using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Testing;

namespace WholeSystem.Sessions;

/// <summary>Stores and services that die, freeze or forget, while sessions are held. Nothing but what has failed is restarted.</summary>
[Collection(ThreeEdgesCollection.Name)]
public sealed class StoreFaultTests(ThreeEdges edges)
{
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(40);
    // What a frozen or absent store may cost a client: it is answered, whatever the answer is.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(15);

    private RunningSystem System => edges.System;

    [Fact]
    public async Task A_Redis_that_is_killed_costs_no_conversation()
    {
        var anchor = await BeginAsync("redis killed");
        await System.CrashAsync("redis");
        await GoesOnAsync("redis killed", anchor, items: 3);
    }

    [Fact]
    public async Task A_Redis_that_has_forgotten_everything_costs_no_conversation()
    {
        var anchor = await BeginAsync("redis emptied");
        await Eventually.TrueAsync(async () => await System.QueryAsync<long>($"SELECT count(*) FROM request_logs WHERE request_id = '{anchor}' AND session IS NOT NULL") == 1);
        await System.EmptyRedisAsync();
        // The holder has renewed its claim, and Postgres knows whose the anchor is.
        await GoesOnAsync("redis emptied", anchor, items: 3, edge: 1);
    }

    [Fact]
    public async Task A_Redis_that_is_frozen_for_five_seconds_costs_no_conversation()
    {
        var anchor = await BeginAsync("redis frozen");
        System.Gateway.Freeze("redis");
        try
        {
            await Task.WhenAll([AskEachEdgeAsync(), Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System)]);
        }
        finally
        {
            System.Gateway.Thaw("redis");
        }
        await GoesOnAsync("redis frozen", anchor, items: 3);
    }

    private async Task AskEachEdgeAsync()
    {
        for (var edge = 0; edge < ThreeEdges.Count; edge++)
        {
            var answer = await AskAsync("hard", "meanwhile", null, edge).WaitAsync(Bound);
            Assert.True(answer.IsSuccess || (int)answer.Status >= 500, $"{answer.Status} {answer.Body}");
        }
    }

    [Fact]
    public async Task While_Continuity_is_away_hard_scopes_are_refused_and_others_served()
    {
        var anchor = await BeginAsync("continuity killed");
        var continuity = System.Gateway.Freeze("continuity");
        ApiAnswer[] answers;
        try
        {
            answers = await Task.WhenAll(
                // Where it is held it goes on: the claim is good for a while yet, and the edge knows the owner itself.
                AskAsync("continuity killed", "second", anchor, edge: 0),
                AskAsync("another thread", "first", null, edge: 0),
                AskAsync("cache", "first", null, edge: 0, header: null)).WaitAsync(Bound);
        }
        finally
        {
            System.Gateway.Kill("continuity");
        }
        var (held, hard, soft) = (answers[0], answers[1], answers[2]);
        Assert.True(held.IsSuccess, held.Body);
        Assert.Equal((HttpStatusCode.BadGateway, "upstream_unavailable"), (hard.Status, hard.ErrorCode));
        Assert.True(soft.IsSuccess, soft.Body);

        await System.Gateway.WaitForRestartAsync("continuity", continuity, Recovery);
        await GoesOnAsync("continuity killed", held.Id, items: 5);
        await Eventually.TrueAsync(async () => (await AskAsync("another thread", "first", null, edge: 0)).IsSuccess, Recovery);
    }

    [Fact]
    public async Task When_all_edges_restart_at_once_anchors_on_sockets_are_told_dead_and_stored_ones_live()
    {
        var anchor = await BeginAsync("all edges");
        var stored = await AskAsync("all edges stored", "first", null, edge: 0, store: true);
        var former = Enumerable.Range(0, ThreeEdges.Count).Select(edge => System.Gateway.Kill($"edge-{edge}")).ToArray();
        for (var edge = 0; edge < ThreeEdges.Count; edge++)
        {
            await System.Gateway.WaitForRestartAsync($"edge-{edge}", former[edge], Recovery);
            await System.UntilServingAsync(edge: edge);
        }
        var told = await AskAsync("all edges", "second", anchor, edge: 1);
        Assert.Equal((HttpStatusCode.BadRequest, "previous_response_not_found"), (told.Status, told.ErrorCode));
        // In full, on any edge, and on from there on another one.
        var anew = await AskAsync("all edges", "first, second", null, edge: 2);
        Assert.True(anew.IsSuccess, anew.Body);
        await GoesOnAsync("all edges", anew.Id, items: 3, edge: 0);
        Assert.Contains("Context: 3.", (await AskAsync("all edges stored", "second", stored.Id, edge: 1, store: true)).Text, StringComparison.Ordinal);
    }

    private async Task<string> BeginAsync(string scope)
    {
        var begun = await AskAsync(scope, "first", null, edge: 0);
        Assert.True(begun.IsSuccess, begun.Body);
        return begun.Id;
    }

    // The conversation goes on where it was, on whichever edge the next turn comes to; while the services find together again it may be asked to come back.
    private async Task GoesOnAsync(string scope, string anchor, int items, int edge = 2)
    {
        ApiAnswer? answer = null;
        await Eventually.TrueAsync(async () => (answer = await AskAsync(scope, "goes on", anchor, edge)).Status is not (>= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests), Recovery);
        Assert.True(answer!.IsSuccess, answer.Body);
        Assert.Contains($"Context: {items}.", answer.Text, StringComparison.Ordinal);
    }

    private async Task<ApiAnswer> AskAsync(string scope, string text, string? anchor, int edge, bool store = false, string? header = "thread-id")
    {
        var body = new JsonObject { ["model"] = "gpt-5.6", ["store"] = store, ["input"] = text };
        if (anchor is not null)
        {
            body["previous_response_id"] = anchor;
        }
        if (header is null)
        {
            body["prompt_cache_key"] = scope;
        }
        using var client = System.Client(edge: edge);
        using var content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        return await client.SendAsync(HttpMethod.Post, "/v1/responses", content, null, header is null ? [] : [(header, scope)]);
    }
}
