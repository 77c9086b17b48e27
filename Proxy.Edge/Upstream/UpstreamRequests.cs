using System.Net;
using System.Net.Http.Headers;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Upstream;

/// <summary>Requests to an account, with its address and its credential.</summary>
internal static class UpstreamRequests
{
    /// <summary>A turn's POST: the client's headers, the account's credential, the body as bytes.</summary>
    /// <param name="path">Below the base URL, with a slash in front.</param>
    /// <param name="dropsTurnState">The client's turn state was given by another domain.</param>
    /// <param name="sent">Called when the body has left whole.</param>
    public static HttpRequestMessage Post(AdmittedAccount account, string path, HttpRequest from, ReadOnlyMemory<byte> body, bool dropsTurnState, Action sent)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, AddressOf(account, path, from.QueryString))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = new WatchedContent(body, sent),
        };
        // The body is plain by now, and so should the answer be: it is scanned on its way.
        HeaderPolicy.CopyUpstream(from.Headers, request, ["content-encoding", "accept-encoding", .. dropsTurnState ? [WireHeaders.TurnState] : Array.Empty<string>()]);
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        Authenticate(request.Headers, account);
        return request;
    }

    /// <summary>Where a path of ours is on the account.</summary>
    public static Uri AddressOf(AdmittedAccount account, string path, QueryString query) => new(account.BaseUrl + path + query.ToUriComponent());

    /// <summary>Shows the account's credential, and nothing of the client's.</summary>
    public static void Authenticate(HttpRequestHeaders headers, AdmittedAccount account)
    {
        headers.Remove("Authorization");
        if (account.CredentialKind == CredentialKind.Azure)
        {
            headers.TryAddWithoutValidation(WireHeaders.AzureKey, account.Token);
        }
        else
        {
            headers.TryAddWithoutValidation("Authorization", "Bearer " + account.Token);
        }
    }

    /// <summary>True if the failure came before anything could have been sent.</summary>
    public static bool WasNotSent(HttpRequestException exception) => exception.HttpRequestError
        is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError;
}
