using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.Extensions.Options;

namespace Proxy.Edge.Upstream;

/// <summary>
/// One connection pool for each account, kept alive. Pools are not shared: what upstream ties to a connection stays within the account.
/// They are as many as there are accounts, and their idle connections close by themselves.
/// </summary>
internal sealed class UpstreamHandlers(IOptions<EdgeOptions> options) : IDisposable
{
    private readonly ConcurrentDictionary<string, HttpMessageInvoker> _invokers = new(StringComparer.Ordinal);

    public HttpMessageInvoker For(string accountId) => _invokers.GetOrAdd(accountId, _ => Create());

    public void Dispose()
    {
        foreach (var invoker in _invokers.Values)
        {
            invoker.Dispose();
        }
    }

    private HttpMessageInvoker Create() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = true,
        ConnectTimeout = TimeSpan.FromSeconds(options.Value.ConnectSeconds),
        // Long enough to keep connections warm between turns, short enough to follow DNS.
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        PooledConnectionLifetime = TimeSpan.FromMinutes(15),
        // As Kestrel reads and writes them: what is not ASCII passes as the bytes it is.
        RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8,
        ResponseHeaderEncodingSelector = (_, _) => Encoding.UTF8,
        // Our trace context is no business of a third party; the client's own passes as it came. A propagator that writes nothing
        // would not do: OpenTelemetry's instrumentation of HttpClient writes by itself.
        ActivityHeadersPropagator = null,
    });
}
