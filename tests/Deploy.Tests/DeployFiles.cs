using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Deploy.Tests;

/// <summary>What stands in the folder <c>deploy</c>.</summary>
internal static class DeployFiles
{
    public static string Solution { get; } = FindSolution();

    public static string Root { get; } = Path.Combine(Solution, "deploy");

    public static string Kubernetes { get; } = Path.Combine(Root, "kubernetes");

    /// <summary>The lines <c>KEY=value</c> of a file of environment variables.</summary>
    public static Dictionary<string, string> ReadVariables(string path) =>
        File.ReadLines(path)
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split('=', 2))
            .ToDictionary(parts => parts[0], parts => parts[1], StringComparer.Ordinal);

    /// <summary>A YAML document without a type: dictionaries, lists and text.</summary>
    public static Node ReadYaml(string path)
    {
        using var reader = new StreamReader(path);
        return new Node(new DeserializerBuilder().Build().Deserialize<object>(new MergingParser(new Parser(reader))));
    }

    private static string FindSolution()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Aspire.sln")))
        {
            folder = folder.Parent;
        }
        return folder?.FullName ?? throw new InvalidOperationException("Aspire.sln is in no folder above the tests.");
    }
}

/// <summary>A part of a YAML document; what is not there is empty.</summary>
internal readonly record struct Node(object? Value)
{
    public Node this[string key] => new(Value is IDictionary<object, object> map && map.TryGetValue(key, out var value) ? value : null);

    public bool Exists => Value is not null;

    public string Text => Value as string ?? throw new InvalidOperationException($"{Value ?? "Nothing"} is not text.");

    /// <summary>The items of a list.</summary>
    public IEnumerable<Node> Items => Value is IList<object> list ? list.Select(item => new Node(item)) : [];

    /// <summary>The entries of a map.</summary>
    public IEnumerable<(string Key, Node Value)> Entries =>
        Value is IDictionary<object, object> map ? map.Select(entry => ((string)entry.Key, new Node(entry.Value))) : [];

    /// <summary>A list's items, or a map's keys: Compose takes either for networks and dependencies.</summary>
    public IEnumerable<string> Names => Value is IList<object> ? Items.Select(item => item.Text) : Entries.Select(entry => entry.Key);
}
