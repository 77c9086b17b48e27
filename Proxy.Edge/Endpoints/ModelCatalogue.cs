using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Caching.Memory;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using Proxy.Edge.Upstream;

namespace Proxy.Edge.Endpoints;

/// <summary>A catalogue and the tag that changes with it.</summary>
internal sealed record Catalogue(byte[] Json, string ETag);

/// <summary>
/// The models of all accounts open to a key, in one answer for everyone: SDKs read <c>data</c>, Codex reads <c>models</c>:
/// <code>{"object":"list","data":[{"id":"gpt-5.6",...}],"models":[{"slug":"gpt-5.6",...}]}</code>
/// </summary>
internal sealed class ModelCatalogue(AccountsClient accounts, UpstreamHandlers handlers, IMemoryCache cache, CallerAuthentication callers)
{
    private const int MaxBytes = 4 << 20;
    private const int MaxQueryLength = 256;

    // What an entry of the cache counts for: about so many bytes.
    private const int BytesPerCacheUnit = 100;
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    public async Task HandleAsync(HttpContext context)
    {
        var (caller, error) = await callers.IdentifyAsync(context);
        if (caller is null)
        {
            await error!.WriteAsync(context);
            return;
        }
        if (await GetAsync(caller, context.Request.QueryString.Value ?? "", context.RequestAborted) is not { } catalogue)
        {
            await Errors.ServiceUnavailable("accounts").WriteAsync(context);
            return;
        }
        context.Response.Headers.ETag = catalogue.ETag;
        if (context.Request.Headers.IfNoneMatch.ToString() == catalogue.ETag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = catalogue.Json.Length;
        await context.Response.Body.WriteAsync(catalogue.Json, context.RequestAborted);
    }

    /// <summary>One model of the catalogue, as <c>GET /models/{id}</c> wants it.</summary>
    /// <param name="id">As it stands in the path, where a slash may come as <c>%2F</c>.</param>
    public async Task HandleOneAsync(HttpContext context, string id)
    {
        id = id.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        var (caller, error) = await callers.IdentifyAsync(context);
        var catalogue = caller is null ? null : await GetAsync(caller, query: null, context.RequestAborted);
        if (catalogue is null)
        {
            await (error ?? Errors.ServiceUnavailable("accounts")).WriteAsync(context);
            return;
        }
        var model = JsonNode.Parse(catalogue.Json)!["data"]!.AsArray().FirstOrDefault(model => NameOf(model, "id") == id);
        if (model is null)
        {
            await Errors.ModelNotServed(id).WriteAsync(context);
            return;
        }
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(model.ToJsonString(), context.RequestAborted);
    }

    /// <summary>Merges the answers of several accounts: the first to name a model describes it, and only models the key may use stay.</summary>
    internal static Catalogue Merge(IEnumerable<JsonObject> answers, Func<string, bool> isAllowed)
    {
        var data = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        var models = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        foreach (var answer in answers)
        {
            Collect(answer["data"], "id", data, isAllowed);
            Collect(answer["models"], "slug", models, isAllowed);
        }
        var merged = new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray([.. data.Values]),
            ["models"] = new JsonArray([.. models.Values]),
        };
        var json = Encoding.UTF8.GetBytes(merged.ToJsonString());
        return new Catalogue(json, $"\"{Convert.ToHexStringLower(SHA256.HashData(json).AsSpan(0, 8))}\"");
    }

    private static void Collect(JsonNode? list, string name, SortedDictionary<string, JsonNode> into, Func<string, bool> isAllowed)
    {
        foreach (var model in list as JsonArray ?? [])
        {
            if (NameOf(model, name) is { } id && isAllowed(id))
            {
                into.TryAdd(id, model!.DeepClone());
            }
        }
    }

    private static string? NameOf(JsonNode? model, string name) => model is JsonObject && model[name] is JsonValue value && value.TryGetValue(out string? id) ? id : null;

    // One catalogue is kept for a key, the latest: Codex asks with its version, and is told of other models than a client without one.
    private async Task<Catalogue?> GetAsync(Caller caller, string? query, CancellationToken cancellationToken)
    {
        var key = ("models", caller.KeyId);
        if (cache.TryGetValue(key, out (string Query, Catalogue Catalogue) known) && (query is null || query == known.Query))
        {
            return known.Catalogue;
        }
        query = query is { Length: <= MaxQueryLength } ? query : "";
        if (await accounts.ListOpenAsync(caller.KeyId, cancellationToken) is not { } open)
        {
            return null;
        }
        var answers = await Task.WhenAll(open.Accounts.Select(account => AskAsync(account, new QueryString(query), cancellationToken)));
        var catalogue = Merge(answers.OfType<JsonObject>(), model => NamePattern.AnyMatches(open.AllowedModels, model));
        // What no account has answered is not kept: the next one to ask may have more luck.
        if (answers.Any(answer => answer is not null))
        {
            cache.Set(key, (query, catalogue), new MemoryCacheEntryOptions { Size = 1 + (catalogue.Json.Length / BytesPerCacheUnit), AbsoluteExpirationRelativeToNow = Lifetime });
        }
        return catalogue;
    }

    private async Task<JsonObject?> AskAsync(AdmittedAccount account, QueryString query, CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(Bound);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, UpstreamRequests.AddressOf(account, "/models", query));
            UpstreamRequests.Authenticate(request.Headers, account);
            using var response = await handlers.For(account.Id).SendAsync(request, bound.Token);
            if (!response.IsSuccessStatusCode)
            {
                return null;
            }
            await response.Content.LoadIntoBufferAsync(MaxBytes, bound.Token);
            return JsonNode.Parse(await response.Content.ReadAsByteArrayAsync(bound.Token)) as JsonObject;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or JsonException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
