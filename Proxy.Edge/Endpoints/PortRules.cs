using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Protocol;
using ServiceDefaults.Health;
using ServiceDefaults.Http;

namespace Proxy.Edge.Endpoints;

/// <summary>
/// Which port serves what. Clients come to the public one. What edges and operators ask comes to the internal one (<see cref="EdgeOptions.InternalPort"/>), which a deployment
/// shows to nobody: a token that leaks is then of no use outside. The admin API is served on the public port, too, to callers on this machine.
/// </summary>
internal static class PortRules
{
    private const string Internal = "/internal";
    private const string DefaultAddress = "http://localhost:5000";

    /// <summary>Listens on the internal port beside the addresses that are configured anyway, and like the first of them: on this machine only, or on all interfaces.</summary>
    public static void AddInternalPort(this WebApplicationBuilder builder)
    {
        // What is not a port is told with all other errors, by the options.
        if (!int.TryParse(builder.Configuration[$"{EdgeOptions.Section}:{nameof(EdgeOptions.InternalPort)}"], out var port) || port is < 1 or > ushort.MaxValue)
        {
            return;
        }
        var ports = builder.Configuration["http_ports"]?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        var addresses = builder.Configuration["urls"] is { Length: > 0 } urls ? urls
            : ports.Length > 0 ? string.Join(';', ports.Select(given => $"http://*:{given}"))
            : DefaultAddress;
        BindingAddress[] all = [.. addresses.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(BindingAddress.Parse)];
        if (all.Any(address => address.Port == port))
        {
            return;
        }
        // Given both, the host would say that it does not follow the one.
        builder.Configuration["http_ports"] = "";
        builder.WebHost.UseUrls([.. all.Select(address => address.ToString()), $"http://{all[0].Host}:{port}"]);
    }

    /// <summary>Refuses what is not served where it was asked for.</summary>
    public static void UsePortRules(this WebApplication app) => app.Use((context, next) =>
    {
        var options = context.RequestServices.GetRequiredService<IOptions<EdgeOptions>>().Value;
        var refusal = Check(
            context.Request.Path, options.InternalPort != 0 && context.Connection.LocalPort == options.InternalPort, options.AdminFromAnywhere || DirectLoopback.IsOnThisMachine(context));
        return refusal is null ? next(context) : refusal.WriteAsync(context);
    });

    /// <summary>Null for what is served here.</summary>
    /// <param name="isAdmin">Whether the caller may use the admin API on the public port.</param>
    public static ApiError? Check(PathString path, bool isInternalPort, bool isAdmin) =>
        path.StartsWithSegments(Internal) ? (isInternalPort ? null : Errors.NotFound(path))
        : path.StartsWithSegments(AccountsRoutes.Admin) ? (isInternalPort || isAdmin ? null : Errors.AdminElsewhere)
        : isInternalPort && !HealthEndpoints.Serves(path) ? Errors.NotFound(path)
        : null;
}
