using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Edge.Passthrough;

/// <summary><c>/admin/v1/*</c>: forwarded as it is to the accounts service, which checks the admin token.</summary>
internal sealed class AdminForwarding(IHttpForwarder forwarder, IConfiguration configuration) : IDisposable
{
    private readonly HttpMessageInvoker _invoker = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
    private readonly ForwarderRequestConfig _config = new() { ActivityTimeout = TimeSpan.FromSeconds(30) };
    private readonly string _accounts = ServiceClients.AddressOf(configuration, "accounts").ToString();

    public static string Pattern => AccountsRoutes.Admin + "/{**rest}";

    public async Task HandleAsync(HttpContext context)
    {
        // Wrong tokens are counted for each caller, and the edge is not the one who guesses.
        context.Request.Headers[AccountsRoutes.AdminCaller] = context.Connection.RemoteIpAddress?.ToString();
        var failure = await forwarder.SendAsync(context, _accounts, _invoker, _config);
        if (failure != ForwarderError.None && !context.RequestAborted.IsCancellationRequested)
        {
            await Errors.ServiceUnavailable("accounts").WriteAsync(context);
        }
    }

    public void Dispose() => _invoker.Dispose();
}
