using System.Buffers;

namespace Proxy.Edge.Passthrough;

/// <summary>
/// What stands behind a pattern on an account. It is made anew from the pattern and checked segments, never from what the client wrote: what an account's server, or a proxy
/// before it, reads as another path than we do would reach what was never checked.
/// </summary>
internal static class RoutePath
{
    private const int MaxLength = 512;

    // Of these the API makes its ids; a slash, a percent sign or a backslash would make another path of them.
    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");

    /// <summary>True for a segment that names one thing and nothing else.</summary>
    public static bool IsId(string? segment) =>
        segment is { Length: > 0 and <= MaxLength } && segment is not ("." or "..") && !segment.AsSpan().ContainsAnyExcept(Allowed);

    /// <summary>The pattern with its values, as in <c>/files/{id}/content</c>; null where a value is no id.</summary>
    public static string? Of(string pattern, RouteValueDictionary values)
    {
        var segments = pattern.Split('/');
        for (var index = 0; index < segments.Length; index++)
        {
            if (segments[index] is not ['{', .. var name, '}'])
            {
                continue;
            }
            if (values[name] is not string value || !IsId(value))
            {
                return null;
            }
            segments[index] = value;
        }
        return string.Join('/', segments);
    }
}
