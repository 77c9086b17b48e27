using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Callers;

/// <summary>Who sends a request.</summary>
/// <param name="KeyId">The API key's id, or <see cref="AccountsRoutes.Anonymous"/>.</param>
internal sealed record Caller(string KeyId)
{
    public static Caller Anonymous { get; } = new(AccountsRoutes.Anonymous);
}

/// <summary>
/// Tells who sends a request. In loopback mode a caller without a key is anonymous, if it is a program on this machine that talks to us directly.
/// </summary>
internal sealed class CallerAuthentication(
    AccountsClient accounts, IMemoryCache cache, IOptions<EdgeOptions> options, IHostEnvironment environment)
{
    // A revoked key is refused by admission at once; this only bounds what needs no admission.
    private static readonly TimeSpan KnownLifetime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan UnknownLifetime = TimeSpan.FromSeconds(1);

    private readonly bool _letsLoopbackIn =
        (options.Value.Authentication ?? (environment.IsDevelopment() ? AuthenticationMode.Loopback : AuthenticationMode.Required)) == AuthenticationMode.Loopback;

    /// <summary>The caller, or the error to answer.</summary>
    public async ValueTask<(Caller? Caller, ApiError? Error)> IdentifyAsync(HttpContext context)
    {
        if (KeyOf(context.Request) is { } key)
        {
            return await CheckAsync(key, context.RequestAborted);
        }
        return _letsLoopbackIn && DirectLoopback.IsCaller(context) ? (Caller.Anonymous, null) : (null, Errors.MissingKey);
    }

    /// <summary>True for an upgrade that a web page of another origin asks for: browsers do not keep those back themselves.</summary>
    public static bool HasForeignOrigin(HttpRequest request)
    {
        string? origin = request.Headers.Origin;
        return origin is not null
            && !(Uri.TryCreate(origin, UriKind.Absolute, out var uri) && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase));
    }

    private static string? KeyOf(HttpRequest request)
    {
        string? authorization = request.Headers.Authorization;
        if (authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) == true)
        {
            return authorization["Bearer ".Length..].Trim();
        }
        // Azure's clients show their key here.
        string? azureKey = request.Headers[WireHeaders.AzureKey];
        return authorization ?? azureKey;
    }

    private async ValueTask<(Caller?, ApiError?)> CheckAsync(string key, CancellationToken cancellationToken)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        var cacheKey = ("caller", hash);
        if (cache.TryGetValue(cacheKey, out Caller? known))
        {
            return known is null ? (null, Errors.InvalidKey) : (known, null);
        }
        var (found, answered) = await accounts.CheckKeyAsync(hash, cancellationToken);
        if (!answered)
        {
            return (null, Errors.ServiceUnavailable("accounts"));
        }
        var caller = found is null ? null : new Caller(found.Id);
        cache.Set(cacheKey, caller, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = caller is null ? UnknownLifetime : KnownLifetime });
        return caller is null ? (null, Errors.InvalidKey) : (caller, null);
    }
}
