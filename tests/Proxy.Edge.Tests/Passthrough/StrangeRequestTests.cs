using System.Net;
using Proxy.Edge.Tests.Fixture;
using Proxy.Edge.Tests.Http;

namespace Proxy.Edge.Tests.Passthrough;

/// <summary>Requests that would carry past the checks what those are there for.</summary>
public sealed class StrangeRequestTests
{
    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/embeddings")]
    [InlineData("/v1/conversations")]
    [InlineData("/v1/conversations/conv_1/items")]
    [InlineData("/v1/responses")]
    public async Task A_form_is_taken_only_where_files_are(string path)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Own("conv_1", "a"));
        using var form = Form(("model", "gpt-5.6"));
        Assert.Equal((415, "unsupported_media_type"), await PostAsync(edge, path, form));
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Theory]
    [InlineData("/v1/images/edits")]
    [InlineData("/v1/images/variations")]
    [InlineData("/v1/audio/transcriptions")]
    [InlineData("/v1/audio/translations")]
    public async Task The_model_of_a_form_is_asked_for(string path)
    {
        await using var edge = await RunningEdge.StartAsync();
        using var form = Form(("model", "gpt-image-1"));
        var sent = await form.ReadAsByteArrayAsync();
        await PostAsync(edge, path, form);
        Assert.Equal(("gpt-image-1", true), Assert.Single(edge.Accounts.Asked.Select(request => (request.Model, request.NeedsModel))));
        Assert.Equal(sent, Assert.Single(edge.Sim.Recorded.All).RawBody.ToArray());
        Assert.Equal(form.Headers.ContentType!.ToString(), edge.Sim.Recorded.All[0].Header("content-type"));
    }

    [Fact]
    public async Task A_file_of_another_key_in_a_form_is_not_there()
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Own("file-x", "a", keyId: "key-2"));
        using var form = Form(("model", "gpt-image-1"), ("file_id", "file-x"));
        Assert.Equal(404, (await PostAsync(edge, "/v1/images/edits", form)).Status);
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Fact]
    public async Task What_puts_a_model_to_work_says_so_and_nothing_else_does()
    {
        await using var edge = await RunningEdge.StartAsync();
        await edge.TurnAsync();
        await edge.PostAsync("{}", "/v1/embeddings");
        Assert.All(edge.Accounts.Asked, request => Assert.True(request.NeedsModel));
        edge.Accounts.Forget();
        using var form = Form(("purpose", "user_data"));
        await edge.Http.PostAsync("/v1/files", form);
        await edge.PostAsync("{}", "/v1/conversations");
        Assert.Equal(2, edge.Accounts.Asked.Count);
        Assert.All(edge.Accounts.Asked, request => Assert.False(request.NeedsModel));
    }

    [Theory]
    [InlineData("/v1/files/a%2Fb")]
    [InlineData("/v1/files/..%2F..%2Fadmin")]
    [InlineData("/v1/files/%2e%2e%2Ffiles")]
    [InlineData("/v1/files/a%5Cb/content")]
    [InlineData("/v1/files/a%3Bb")]
    [InlineData("/v1/files/a%00b")]
    [InlineData("/v1/files/a%0d%0ab")]
    [InlineData("/v1/files/%252e%252e")]
    [InlineData("/v1/responses/a%3Fb/input_items")]
    [InlineData("/v1/conversations/conv_1/items/a%2Fb")]
    [InlineData("/v1/conversations/conv_1/items/%C3%BC")]
    public async Task An_id_that_is_none_is_not_found_although_unknown_ones_are_tried(string path)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Own("conv_1", "a"), "Continuity:UnknownIds=Try");
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(edge.Address.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        using var response = await edge.Http.SendAsync(request);
        // What Kestrel refuses by itself is as good.
        Assert.True(response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"{response.StatusCode}");
        Assert.Empty(edge.Sim.Recorded.All);
    }

    [Theory]
    [InlineData("/V1/Files/file-1/", "/v1/files/file-1")]
    [InlineData("/backend-api/codex/v1/files/file-1", "/v1/files/file-1")]
    public async Task Upstream_gets_the_path_as_the_API_writes_it(string path, string seen)
    {
        await using var edge = await RunningEdge.StartAsync(edge => edge.Continuity.Own("file-1", "a"));
        await edge.Http.GetAsync(path);
        Assert.Equal(seen, Assert.Single(edge.Sim.Recorded.All).Path);
    }

    private static MultipartFormDataContent Form(params (string Name, string Value)[] fields)
    {
        var form = new MultipartFormDataContent("----boundary") { { new ByteArrayContent([1, 2, 3]), "file", "x.bin" } };
        foreach (var (name, value) in fields)
        {
            form.Add(new StringContent(value), name);
        }
        return form;
    }

    private static async Task<(int Status, string? Code)> PostAsync(RunningEdge edge, string path, HttpContent content)
    {
        using var response = await edge.Http.PostAsync(path, content);
        return ((int)response.StatusCode, AnswerTests.Code(await response.Content.ReadAsStringAsync()));
    }
}
