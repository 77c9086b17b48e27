using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Continuity.Contracts;
using ServiceDefaults.Data;
using ServiceDefaults.Http;
using Testing.Stores;

namespace Proxy.Continuity.Tests;

/// <summary>The real service in this process, on a free loopback port, and a client that shows the internal token.</summary>
internal sealed class ContinuityHost : IAsyncDisposable
{
    private const string Token = "a-token-of-the-tests";

    /// <summary>A database with the service's tables.</summary>
    public static readonly PostgresTemplate Migrated = new(database => new Migrator(database, NullLogger<Migrator>.Instance).MigrateAsync(typeof(ContinuityService).Assembly, default));

    private readonly WebApplication _app;

    private ContinuityHost(WebApplication app, HttpClient http) => (_app, Http) = (app, http);

    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<ContinuityHost> StartAsync(TestStores stores, TimeProvider? time = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:continuitydb"] = stores.Postgres.ConnectionString,
            ["ConnectionStrings:redis"] = stores.Redis.ConnectionString,
            ["Internal:Token"] = Token,
        });
        if (time is not null)
        {
            builder.Services.AddSingleton(time);
        }
        var app = builder.AddContinuity().Build().MapContinuity();
        await app.StartAsync();
        var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()), Timeout = TimeSpan.FromSeconds(20) };
        http.DefaultRequestHeaders.Add(InternalToken.Header, Token);
        return new ContinuityHost(app, http);
    }

    public Task<HttpResponseMessage> PostResolveAsync(ResolveRequest request) => Http.PostAsJsonAsync(ContinuityRoutes.Resolve, request, ContinuityJson.Default.ResolveRequest);

    public Task<HttpResponseMessage> PostResolveAsync(string keyId, string? scope, params IEnumerable<string> ids) => PostResolveAsync(Responses(keyId, scope, ids));

    public async Task<ResolveResponse> ResolveAsync(ResolveRequest request)
    {
        using var response = await PostResolveAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(ContinuityJson.Default.ResolveResponse))!;
    }

    public Task<ResolveResponse> ResolveAsync(string keyId, string? scope, params IEnumerable<string> ids) => ResolveAsync(Responses(keyId, scope, ids));

    public async Task<ResolvedOwner> ResolveOneAsync(string keyId, string id) => Assert.Single((await ResolveAsync(keyId, null, id)).Owners);

    public async Task<HttpStatusCode> PublishAsync(string id, OwnerRecord owner, string? scope = null, string kind = OwnedKinds.Response)
    {
        using var response = await Http.PostAsJsonAsync(
            ContinuityRoutes.Publish, new PublishRequest(new OwnedId(kind, id), owner, scope), ContinuityJson.Default.PublishRequest);
        return response.StatusCode;
    }

    public Task<HttpResponseMessage> PostRejectAsync(string keyId, string anchor) =>
        Http.PostAsJsonAsync(ContinuityRoutes.RejectAnchor, new RejectAnchorRequest(keyId, anchor), ContinuityJson.Default.RejectAnchorRequest);

    /// <summary>Rejects an anchor; whether it was before.</summary>
    public async Task<bool> RejectAsync(string keyId, string anchor)
    {
        using var response = await PostRejectAsync(keyId, anchor);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(ContinuityJson.Default.RejectAnchorResponse))!.Before;
    }

    public Task<HttpResponseMessage> PostRowsAsync(params IReadOnlyList<RequestLogRow> rows) =>
        Http.PostAsJsonAsync(ContinuityRoutes.RequestLogs, new IntakeRequest(rows), ContinuityJson.Default.IntakeRequest);

    /// <summary>Takes in rows; how many were set aside.</summary>
    public async Task<int> IngestAsync(params IReadOnlyList<RequestLogRow> rows)
    {
        using var response = await PostRowsAsync(rows);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(ContinuityJson.Default.IntakeResponse))!.Quarantined;
    }

    /// <summary>Posts to a route; the status.</summary>
    public async Task<HttpStatusCode> PostAsync<T>(string route, T request, JsonTypeInfo<T> type)
    {
        using var response = await Http.PostAsJsonAsync(route, request, type);
        return response.StatusCode;
    }

    /// <summary>Posts to a route that has to answer.</summary>
    public async Task<TAnswer> AskAsync<T, TAnswer>(string route, T request, JsonTypeInfo<T> type, JsonTypeInfo<TAnswer> answerType)
    {
        using var response = await Http.PostAsJsonAsync(route, request, type);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(answerType))!;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static ResolveRequest Responses(string keyId, string? scope, IEnumerable<string> ids) =>
        new(keyId, scope, [.. ids.Select(id => new OwnedId(OwnedKinds.Response, id))]);
}
