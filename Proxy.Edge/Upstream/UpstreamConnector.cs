using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Upstream;

/// <summary>What an upgrade was answered with: a socket, or a refusal with its status and body, or nothing at all.</summary>
/// <param name="Headers">Those of the 101 that the client gets.</param>
/// <param name="RetryAfter">How long a refusal asks to wait.</param>
internal sealed record UpstreamHandshake(MessageSocket? Socket, HeaderDictionary Headers, int Status, byte[] Body, TimeSpan? RetryAfter = null)
{
    public static UpstreamHandshake Unreachable { get; } = new(null, [], 0, []);
}

/// <summary>
/// Opens WebSockets to accounts. The upgrade is an ordinary request of ours and not a <see cref="ClientWebSocket"/>'s,
/// since the body of a refusal says what the client must be told.
/// </summary>
internal sealed class UpstreamConnector(UpstreamHandlers handlers, IOptions<EdgeOptions> options, TimeProvider time)
{
    private const int MaxRefusalBytes = 64 << 10;
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);

    /// <summary>Connects to <c>/responses</c> of the account with the client's handshake headers.</summary>
    /// <param name="dropsTurnState">The client's turn state was given by another domain.</param>
    /// <param name="except">More headers that stay here.</param>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public async Task<UpstreamHandshake> ConnectAsync(
        AdmittedAccount account, string path, HttpRequest from, bool dropsTurnState, CancellationToken cancellationToken, params string[] except)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, UpstreamRequests.AddressOf(account, path, from.QueryString))
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        // The body of a refusal is read.
        HeaderPolicy.CopyUpstream(from.Headers, request, [.. except, "accept-encoding", .. dropsTurnState ? [WireHeaders.TurnState] : Array.Empty<string>()]);
        UpstreamRequests.Authenticate(request.Headers, account);
        // RFC 6455 section 4.1. No extension is offered: frames are scanned as they are.
        request.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", key);
        HttpResponseMessage? response = null;
        try
        {
            response = await handlers.For(account.Id).SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
            {
                return new UpstreamHandshake(null, [], (int)response.StatusCode, await ReadRefusalAsync(response, cancellationToken), DurationText.WaitOf(response.Headers, time.GetUtcNow()));
            }
            if (!WebSocketAccept.Answers(response, key))
            {
                return UpstreamHandshake.Unreachable;
            }
            var headers = new HeaderDictionary();
            HeaderPolicy.CopyDownstream(response, headers);
            var socket = WebSocket.CreateFromStream(await response.Content.ReadAsStreamAsync(cancellationToken), new WebSocketCreationOptions
            {
                IsServer = false,
                KeepAliveInterval = KeepAlive,
                KeepAliveTimeout = KeepAlive,
            });
            // The stream belongs to the socket now.
            response = null;
            return new UpstreamHandshake(new MessageSocket(socket, options.Value.MaxEventBytes), headers, StatusCodes.Status101SwitchingProtocols, []);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return UpstreamHandshake.Unreachable;
        }
        finally
        {
            response?.Dispose();
        }
    }

    private static async Task<byte[]> ReadRefusalAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var body = new byte[MaxRefusalBytes];
        var length = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken);
        return body[..length];
    }
}
