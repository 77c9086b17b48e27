using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Proxy.Edge.Clients;

/// <summary>How the edge calls the other services.</summary>
internal static class ServiceCalls
{
    private static readonly TimeSpan RepeatPause = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Posts JSON within a bound and returns the answer, whatever its status, or null when none came.
    /// A call that <paramref name="mayRepeat"/> is made once more when its connection broke or the service is restarting.
    /// </summary>
    public static async Task<HttpResponseMessage?> TryPostAsync<T>(
        this HttpClient http, string route, T body, JsonTypeInfo<T> type, TimeSpan bound, bool mayRepeat, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(bound);
        try
        {
            try
            {
                return await http.PostAsJsonAsync(route, body, type, timeout.Token);
            }
            catch (HttpRequestException) when (mayRepeat)
            {
                await Task.Delay(RepeatPause, TimeProvider.System, timeout.Token);
                return await http.PostAsJsonAsync(route, body, type, timeout.Token);
            }
        }
        catch (Exception exception) when (IsNoAnswer(exception, cancellationToken))
        {
            return null;
        }
    }

    /// <summary>The body of a 200, or null: for any other answer, and for one that makes no sense.</summary>
    public static async Task<T?> TryReadAsync<T>(this HttpResponseMessage? response, JsonTypeInfo<T> type, CancellationToken cancellationToken) where T : class
    {
        try
        {
            return response?.StatusCode == HttpStatusCode.OK ? await response.Content.ReadFromJsonAsync(type, cancellationToken) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>True for what a service that is away looks like; the caller's own cancellation is not that.</summary>
    public static bool IsNoAnswer(Exception exception, CancellationToken cancellationToken) =>
        exception is HttpRequestException or IOException or JsonException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);
}
