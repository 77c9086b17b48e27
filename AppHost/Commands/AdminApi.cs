using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AppHost.Topology;

namespace AppHost.Commands;

/// <summary>The accounts service's admin API, as the AppHost calls it for an operator.</summary>
internal sealed class AdminApi : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http;

    private AdminApi(HttpClient http) => _http = http;

    public static async Task<AdminApi> OpenAsync(IResourceBuilder<ProjectResource> accounts, Secrets secrets, CancellationToken cancellationToken) => new(new HttpClient
    {
        BaseAddress = new Uri(new Uri((await accounts.GetEndpoint(ServiceExtensions.Http).GetValueAsync(cancellationToken))!), "/admin/v1/"),
        Timeout = Limit,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", await secrets.AdminToken.Resource.GetValueAsync(cancellationToken)) },
    });

    /// <summary>Calls it; where it refuses, the exception's message is what it said.</summary>
    /// <exception cref="AdminApiException">It refused.</exception>
    public async Task<JsonNode?> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var answer = await _http.SendAsync(request, cancellationToken);
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        var json = text.Length == 0 ? null : JsonNode.Parse(text);
        return answer.IsSuccessStatusCode ? json : throw new AdminApiException((string?)json?["error"]?["message"] ?? $"It answered {(int)answer.StatusCode}.");
    }

    public void Dispose() => _http.Dispose();
}

/// <summary>The admin API refused a call; the message says why.</summary>
internal sealed class AdminApiException(string message) : Exception(message);
