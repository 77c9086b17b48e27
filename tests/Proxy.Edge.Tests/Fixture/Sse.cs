using System.Text.Json.Nodes;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>Reads a body of server-sent events as clients do.</summary>
internal static class Sse
{
    public static List<JsonNode> Read(string body) =>
    [
        .. body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(block => string.Join('\n', block.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..])))
            .Where(data => data.Length > 0)
            .Select(data => JsonNode.Parse(data)!),
    ];
}
