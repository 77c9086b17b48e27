using System.Net;
using System.Net.Sockets;

namespace Proxy.Accounts.Admin;

/// <summary>
/// Which addresses an account may have. Whoever can add accounts can make every edge call an address: the metadata services of clouds, which give away credentials, are none of
/// an upstream's.
/// </summary>
internal static class UpstreamAddress
{
    // What the metadata services of clouds are called, and where they are besides 169.254.0.0/16.
    private static readonly HashSet<string> MetadataNames = new(StringComparer.OrdinalIgnoreCase) { "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal" };
    private static readonly IPAddress[] MetadataAddresses = [IPAddress.Parse("100.100.100.200"), IPAddress.Parse("168.63.129.16"), IPAddress.Parse("192.0.0.192"), IPAddress.Parse("fd00:ec2::254")];

    /// <summary>What is wrong with the address, or null.</summary>
    /// <param name="allowsLinkLocal">Link-local and metadata addresses will do.</param>
    public static string? FindError(string? text, bool allowsLinkLocal)
    {
        var trimmed = text?.Trim() ?? "";
        if (trimmed.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter) || letter == '\\')
            || !Uri.TryCreate(trimmed, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || trimmed.Contains('?', StringComparison.Ordinal))
        {
            return "baseUrl must be an absolute http or https address without a query.";
        }
        if (address.UserInfo.Length > 0 || trimmed.Contains('#', StringComparison.Ordinal))
        {
            return "baseUrl must have neither user info nor a fragment; what authenticates the account is its credential.";
        }
        return !allowsLinkLocal && IsLinkLocal(address)
            ? "baseUrl must not be a link-local address or a cloud's metadata service (Accounts:AllowLinkLocalUpstreams allows it)."
            : null;
    }

    private static bool IsLinkLocal(Uri address)
    {
        var host = address.IdnHost.TrimEnd('.');
        if (!IPAddress.TryParse(host, out var ip))
        {
            return MetadataNames.Contains(host);
        }
        ip = ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip;
        return ip.AddressFamily == AddressFamily.InterNetworkV6
            ? ip.IsIPv6LinkLocal || MetadataAddresses.Contains(ip)
            : ip.GetAddressBytes() is [169, 254, ..] || MetadataAddresses.Contains(ip);
    }
}
