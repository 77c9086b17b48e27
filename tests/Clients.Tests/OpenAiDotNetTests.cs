using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI.Responses;

namespace Clients.Tests;

#pragma warning disable OPENAI001 // The SDK marks its Responses client as experimental.

/// <summary>The official OpenAI .NET SDK through the running system.</summary>
[Collection(ClientCollection.Name)]
public sealed class OpenAiDotNetTests(ClientSystem system) : IDisposable
{
    private const string Model = "gpt-5.5";

    public void Dispose() => system.Simulator.ClearScript();

    [Fact]
    public async Task Create_stream_follow_up_retrieve_and_delete()
    {
        var client = Client(ClientSystem.Key);
        ResponseResult created = await client.CreateResponseAsync(Model, "made by .NET");
        Assert.Contains("You said: made by .NET.", created.GetOutputText(), StringComparison.Ordinal);

        var followUp = new CreateResponseOptions(Model, [ResponseItem.CreateUserMessageItem("and on")]) { PreviousResponseId = created.Id, StreamingEnabled = true };
        var text = "";
        string? completed = null;
        await foreach (var update in await client.CreateResponseStreamingAsync(followUp))
        {
            text += update is StreamingResponseOutputTextDeltaUpdate delta ? delta.Delta : "";
            completed = update is StreamingResponseCompletedUpdate end ? end.Response.Id : completed;
        }
        Assert.Contains($"Anchor: {created.Id}", text, StringComparison.Ordinal);
        Assert.NotNull(completed);

        ResponseResult read = await client.GetResponseAsync(completed);
        Assert.Equal(completed, read.Id);
        await client.DeleteResponseAsync(created.Id);
        Assert.Equal(404, await StatusOfAsync(() => client.GetResponseAsync(created.Id)));
    }

    [Fact]
    public async Task Every_error_is_the_SDKs_own()
    {
        ScriptedErrors.Script(system.Simulator);
        var client = Client(ClientSystem.Key);
        Assert.Equal(401, await StatusOfAsync(() => Client("cp-wrong-0123456789").CreateResponseAsync(Model, "x")));
        Assert.Equal(404, await StatusOfAsync(() => client.GetResponseAsync("resp_nobody")));
        Assert.Equal(429, await StatusOfAsync(() => client.CreateResponseAsync(Model, "please 429")));
        Assert.Equal(500, await StatusOfAsync(() => client.CreateResponseAsync(Model, "please 500")));
        // Asked to try again once; then it is dead.
        Assert.Equal(502, await StatusOfAsync(FollowNobody));
        Assert.Equal(400, await StatusOfAsync(FollowNobody));

        Task<ClientResult<ResponseResult>> FollowNobody() => client.CreateResponseAsync(
            new CreateResponseOptions(Model, [ResponseItem.CreateUserMessageItem("x")]) { PreviousResponseId = "resp_nobody_of_dotnet" });
    }

    private ResponsesClient Client(string key) => new(
        new ApiKeyCredential(key), new ResponsesClientOptions { Endpoint = system.BaseAddress, RetryPolicy = new ClientRetryPolicy(maxRetries: 0) });

    private static async Task<int> StatusOfAsync<T>(Func<Task<T>> call) => (await Assert.ThrowsAsync<ClientResultException>(call)).Status;
}
