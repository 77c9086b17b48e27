using System.Net;
using System.Text.Json.Nodes;
using Testing;

namespace WholeSystem;

/// <summary>What one account has minted finds its way back to it, and to nobody but the key it was minted for.</summary>
[Collection(SystemCollection.Name)]
public sealed class OwnershipTests(RunningSystem system)
{
    [Fact]
    public async Task Follow_ups_and_reads_and_deletes_reach_the_owner()
    {
        var minted = await MintOnBothAsync();
        foreach (var (account, id) in minted)
        {
            await AssertServedByOwnerAsync(account, id, edge: 0);
            await AssertServedByOwnerAsync(account, id, edge: 1);
        }
    }

    [Fact]
    public async Task Owners_are_found_after_every_service_was_restarted()
    {
        var minted = await MintOnBothAsync();
        foreach (var service in (string[])["continuity", "accounts", "edge-0", "edge-1"])
        {
            await system.CrashAsync(service);
        }
        await system.UntilServingAsync(edge: 0);
        await system.UntilServingAsync(edge: 1);
        foreach (var (account, id) in minted)
        {
            await AssertServedByOwnerAsync(account, id, edge: 1);
        }
    }

    [Fact]
    public async Task With_Redis_emptied_Postgres_answers()
    {
        var minted = await MintOnBothAsync();
        foreach (var id in minted.Values)
        {
            await Eventually.TrueAsync(async () => await system.QueryAsync<long>($"SELECT count(*) FROM request_logs WHERE request_id = '{id}'") == 1);
        }
        await system.EmptyRedisAsync();
        // The edge that minted them knows the owners itself; the other one has to ask.
        await system.UntilServingAsync(edge: 1);
        foreach (var (account, id) in minted)
        {
            await AssertServedByOwnerAsync(account, id, edge: 1);
        }
    }

    [Fact]
    public async Task Another_keys_ids_do_not_exist_on_any_route_and_upstream_sees_nothing()
    {
        using var first = system.Client();
        using var second = system.Client(RunningSystem.Second, edge: 1);
        var response = (await first.CreateAsync("mine")).Id;
        var conversation = (await first.SendAsync(HttpMethod.Post, "/v1/conversations", new JsonObject())).Id;
        using var upload = new MultipartFormDataContent { { new StringContent("user_data"), "purpose" }, { new ByteArrayContent("text"u8.ToArray()), "file", "a.txt" } };
        var file = (await first.SendAsync(HttpMethod.Post, "/v1/files", upload)).Id;
        var before = system.Simulator.Recorded.All.Count();

        (HttpMethod Method, string Path, JsonObject? Body, HttpStatusCode Status)[] attempts =
        [
            (HttpMethod.Post, "/v1/responses", new JsonObject { ["model"] = "m", ["input"] = "x", ["previous_response_id"] = response }, HttpStatusCode.BadRequest),
            (HttpMethod.Post, "/v1/responses", new JsonObject { ["model"] = "m", ["input"] = "x", ["conversation"] = conversation }, HttpStatusCode.NotFound),
            (HttpMethod.Post, "/v1/responses", new JsonObject { ["model"] = "m", ["input"] = "x", ["conversation"] = new JsonObject { ["id"] = conversation } }, HttpStatusCode.NotFound),
            (HttpMethod.Post, "/v1/responses", FileInput(file), HttpStatusCode.NotFound),
            (HttpMethod.Post, "/v1/responses/compact", new JsonObject { ["model"] = "m", ["previous_response_id"] = response }, HttpStatusCode.BadRequest),
            (HttpMethod.Post, "/v1/responses/input_tokens", new JsonObject { ["model"] = "m", ["previous_response_id"] = response }, HttpStatusCode.BadRequest),
            (HttpMethod.Get, $"/v1/responses/{response}", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/responses/{response}?stream=true", null, HttpStatusCode.NotFound),
            (HttpMethod.Delete, $"/v1/responses/{response}", null, HttpStatusCode.NotFound),
            (HttpMethod.Post, $"/v1/responses/{response}/cancel", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/responses/{response}/input_items", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/conversations/{conversation}", null, HttpStatusCode.NotFound),
            (HttpMethod.Post, $"/v1/conversations/{conversation}", new JsonObject { ["metadata"] = new JsonObject() }, HttpStatusCode.NotFound),
            (HttpMethod.Delete, $"/v1/conversations/{conversation}", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/conversations/{conversation}/items", null, HttpStatusCode.NotFound),
            (HttpMethod.Post, $"/v1/conversations/{conversation}/items", new JsonObject { ["items"] = new JsonArray() }, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/conversations/{conversation}/items/msg_1", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/files/{file}", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, $"/v1/files/{file}/content", null, HttpStatusCode.NotFound),
            (HttpMethod.Delete, $"/v1/files/{file}", null, HttpStatusCode.NotFound),
            (HttpMethod.Get, "/v1/files", null, HttpStatusCode.Forbidden),
            (HttpMethod.Post, "/backend-api/codex/responses", new JsonObject { ["model"] = "m", ["input"] = "x", ["previous_response_id"] = response }, HttpStatusCode.BadRequest),
            (HttpMethod.Get, $"/backend-api/codex/v1/responses/{response}", null, HttpStatusCode.NotFound),
        ];
        foreach (var (method, path, body, status) in attempts)
        {
            var answer = await second.SendAsync(method, path, body);
            Assert.True(status == answer.Status, $"{method} {path}: {answer.Status} {answer.Body}");
            // The API has no code for what is not there.
            Assert.Equal(status == HttpStatusCode.NotFound, answer.ErrorCode is null);
        }
        using (var socket = await second.ConnectAsync())
        {
            var refused = Assert.Single(await socket.TurnAsync("x", response));
            Assert.Equal("previous_response_not_found", (string)refused["error"]!["code"]!);
            Assert.Equal(400, (int)refused["status"]!);
        }
        // The socket's own upgrade is the only thing upstream has seen.
        Assert.DoesNotContain(system.Simulator.Recorded.All.Skip(before), exchange => !exchange.IsWebSocket || exchange.Received.Any());
        Assert.True((await first.CreateAsync("still mine", response)).IsSuccess);
    }

    [Fact]
    public async Task Ids_of_two_accounts_in_one_turn_are_refused_naming_both()
    {
        var minted = await MintOnBothAsync();
        using var client = system.Client();
        var conversation = (await client.SendAsync(HttpMethod.Post, "/v1/conversations", new JsonObject())).Id;
        var owner = system.Simulator.Recorded.All.Last(exchange => exchange.Path.EndsWith("/conversations", StringComparison.Ordinal)).Account;
        var elsewhere = minted.Single(entry => entry.Key != owner).Value;

        var answer = await client.CreateAsync("x", elsewhere, more: new JsonObject { ["conversation"] = conversation });

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains(elsewhere, answer.Body, StringComparison.Ordinal);
        Assert.Contains(conversation, answer.Body, StringComparison.Ordinal);
    }

    // A response of each account, by the account's token.
    private async Task<Dictionary<string, string>> MintOnBothAsync()
    {
        using var client = system.Client();
        var minted = new Dictionary<string, string>();
        for (var attempt = 0; minted.Count < 2 && attempt < 200; attempt++)
        {
            var id = (await client.CreateAsync($"mint {attempt}")).Id;
            minted[AccountThatMinted(id)] = id;
        }
        Assert.Equal(2, minted.Count);
        return minted;
    }

    private string AccountThatMinted(string id) => system.Simulator.Recorded.All.First(exchange => exchange.ResponseIds.Contains(id)).Account!;

    private async Task AssertServedByOwnerAsync(string account, string id, int edge)
    {
        using var client = system.Client(edge: edge);
        var followUp = await client.CreateAsync("and then?", id);
        Assert.True(followUp.IsSuccess, followUp.Body);
        Assert.Equal(account, AccountThatMinted(followUp.Id));

        var read = await client.SendAsync(HttpMethod.Get, $"/v1/responses/{followUp.Id}");
        Assert.True(read.IsSuccess, read.Body);
        Assert.Equal(followUp.Id, read.Id);

        var deleted = await client.SendAsync(HttpMethod.Delete, $"/v1/responses/{followUp.Id}");
        Assert.True(deleted.IsSuccess, deleted.Body);
    }

    private static JsonObject FileInput(string file) => new()
    {
        ["model"] = "m",
        ["input"] = new JsonArray(new JsonObject
        {
            ["role"] = "user",
            ["content"] = new JsonArray(new JsonObject { ["type"] = "input_file", ["file_id"] = file }),
        }),
    };
}
