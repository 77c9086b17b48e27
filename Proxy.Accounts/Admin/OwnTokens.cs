using Microsoft.Extensions.Options;
using ServiceDefaults.Http;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Admin;

/// <summary>The system's own tokens. A caller's key that is one of them would open more than was meant, or give the token away to whoever is given the key.</summary>
internal sealed class OwnTokens(IOptions<AdminOptions> admin, IOptions<InternalOptions> internals)
{
    public const string Refusal = "key must not be one of the system's own tokens.";

    /// <summary>True for one of them.</summary>
    public bool Contain(string? text) => new Secret(admin.Value.Token).Matches(text) || new Secret(internals.Value.Token).Matches(text);
}
