using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Credentials;
using ServiceDefaults.Data;
using ServiceDefaults.Http;
using Testing.Stores;

namespace Proxy.Accounts.Tests;

/// <summary>One replica of the real service in this process, on a free loopback port, with clients for its internal and its admin routes.</summary>
internal sealed class AccountsHost : IAsyncDisposable
{
    public const string InternalTokenText = "an-internal-token-of-the-tests";
    public const string AdminTokenText = "an-admin-token-of-the-tests";

    /// <summary>The encryption key of all hosts that are not given another.</summary>
    public static readonly string Keys = EncryptionKeys.Generate("first");

    /// <summary>A database with the service's tables.</summary>
    public static readonly PostgresTemplate Migrated = new(database => new Migrator(database, NullLogger<Migrator>.Instance).MigrateAsync(typeof(AccountsService).Assembly, default));

    private readonly WebApplication _app;

    private AccountsHost(WebApplication app, CapturedLogs logs)
    {
        (_app, Logs) = (app, logs);
        Internal = new HttpClient { BaseAddress = new Uri(app.Urls.Single()), Timeout = TimeSpan.FromSeconds(30) };
        Internal.DefaultRequestHeaders.Add(InternalToken.Header, InternalTokenText);
        Admin = new HttpClient { BaseAddress = new Uri(app.Urls.Single() + AccountsRoutes.Admin + "/"), Timeout = TimeSpan.FromSeconds(30) };
        Admin.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", AdminTokenText);
    }

    public HttpClient Internal { get; }

    public HttpClient Admin { get; }

    public CapturedLogs Logs { get; }

    public IServiceProvider Services => _app.Services;

    /// <param name="counting">False: as with an empty Redis, slots are not given before the recovery window has passed.</param>
    public static async Task<AccountsHost> StartAsync(
        TestStores stores, string? seed = null, Dictionary<string, string?>? settings = null, bool counting = true)
    {
        if (counting)
        {
            await stores.Redis.Database.StringSetAsync("accounts:{pool}:generation", "1");
        }
        var logs = new CapturedLogs();
        var app = Build(stores, logs, new(settings ?? []) { ["Accounts:Seed"] = seed });
        await app.StartAsync();
        return new AccountsHost(app, logs);
    }

    public static WebApplication Build(TestStores stores, CapturedLogs logs, Dictionary<string, string?> settings)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(logs);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:accountsdb"] = stores.Postgres.ConnectionString,
            ["ConnectionStrings:redis"] = stores.Redis.ConnectionString,
            ["Internal:Token"] = InternalTokenText,
            ["Admin:Token"] = AdminTokenText,
            ["Accounts:EncryptionKeys"] = Keys,
        }).AddInMemoryCollection(settings);
        return builder.AddAccounts().Build().MapAccounts();
    }

    public Task<AdmissionResponse> AdmitAsync(
        Guid? turn = null, AdmissionPurpose purpose = AdmissionPurpose.Turn, string keyId = AccountsRoutes.Anonymous, string? model = null, string? domain = null,
        string? preferred = null, IReadOnlyList<string>? excluded = null, int waitMs = 0, CancellationToken cancellationToken = default) =>
        AdmitAsync(new AdmissionRequest(
            turn ?? Guid.CreateVersion7(), purpose, keyId, model, domain, preferred, excluded, NeedsWebSockets: false, waitMs), cancellationToken);

    public async Task<AdmissionResponse> AdmitAsync(AdmissionRequest request, CancellationToken cancellationToken = default)
    {
        using var response = await Internal.PostAsJsonAsync(AccountsRoutes.Admit, request, AccountsJson.Default.AdmissionRequest, cancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(AccountsJson.Default.AdmissionResponse, cancellationToken))!;
    }

    public async Task<HttpStatusCode> AbandonAsync(Guid turn)
    {
        using var response = await Internal.PostAsJsonAsync(AccountsRoutes.Abandon, new AbandonRequest(turn), AccountsJson.Default.AbandonRequest);
        return response.StatusCode;
    }

    public async Task<HttpStatusCode> SettleAsync(params IReadOnlyList<SettledTurn> turns)
    {
        using var response = await Internal.PostAsJsonAsync(AccountsRoutes.Settle, new SettleRequest(turns), AccountsJson.Default.SettleRequest);
        return response.StatusCode;
    }

    public async Task<HttpStatusCode> MarkAsync(string accountId, DateTimeOffset until, string? model = null, bool onlyWebSockets = false)
    {
        using var response = await Internal.PostAsJsonAsync(
            AccountsRoutes.Mark, new MarkRequest(accountId, until, "usage_limit_reached", model, onlyWebSockets), AccountsJson.Default.MarkRequest);
        return response.StatusCode;
    }

    /// <summary>The key of this text, or null.</summary>
    public async Task<CheckedKey?> CheckKeyAsync(string key)
    {
        using var response = await Internal.PostAsJsonAsync(AccountsRoutes.CheckKey, new CheckKeyRequest(ApiKeyStore.Hash(key)), AccountsJson.Default.CheckKeyRequest);
        return response.StatusCode == HttpStatusCode.OK ? await response.Content.ReadFromJsonAsync(AccountsJson.Default.CheckedKey) : null;
    }

    public Task<OpenAccountsResponse?> ListOpenAsync(string keyId) =>
        Internal.GetFromJsonAsync($"{AccountsRoutes.OpenAccounts}?keyId={keyId}", AccountsJson.Default.OpenAccountsResponse);

    /// <summary>An answer of the admin API: its status and its body.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body, string Text)> AdminAsync(HttpMethod method, string path, string? json = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json") };
        using var response = await Admin.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text), text);
    }

    /// <summary>The account of this name as the admin API shows it.</summary>
    public async Task<JsonElement> AccountAsync(string name) =>
        (await AdminAsync(HttpMethod.Get, "accounts")).Body.GetProperty("data").EnumerateArray().Single(account => account.GetProperty("name").GetString() == name);

    /// <summary>The id of the account of this name as contracts carry it.</summary>
    public async Task<string> AccountIdAsync(string name) => (await AccountAsync(name)).GetProperty("id").GetGuid().ToString("N");

    public async ValueTask DisposeAsync()
    {
        Internal.Dispose();
        Admin.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
