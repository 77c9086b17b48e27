using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Testing.Processes;

namespace AppHost.Tests.Publishing;

/// <summary>A manifest that the built AppHost has written.</summary>
internal sealed partial record PublishedManifest(string Path, JsonObject Resources)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>As azd calls it: <c>dotnet run --project AppHost -- --publisher manifest --output-path FILE</c>.</summary>
    public static Task<PublishedManifest> AsAzdAsync(string folder, params string[] arguments) =>
        WriteAsync(folder, ["--publisher", "manifest", "--output-path", System.IO.Path.Combine(folder, "aspire-manifest.json"), .. arguments]);

    /// <summary>Runs the AppHost in <paramref name="folder"/> and reads the manifest that it has left there.</summary>
    public static async Task<PublishedManifest> WriteAsync(string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [BuiltPrograms.Of("AppHost"), .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment = { ["ASPIRE_SUPPRESS_CLI_RUN_HOOK"] = "true", ["OPENAI_API_KEY"] = "sk-of-the-publishing-machine" },
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(Limit);
        Assert.True(process.ExitCode == 0, $"{await output}{await errors}");

        var path = System.IO.Path.Combine(folder, "aspire-manifest.json");
        return new(path, JsonNode.Parse(await File.ReadAllTextAsync(path))!["resources"]!.AsObject());
    }

    public JsonObject this[string resource] => Resources[resource]!.AsObject();

    public IEnumerable<string> Names => Resources.Select(resource => resource.Key);

    public string? Variable(string resource, string name) => (string?)this[resource]["env"]?[name];

    /// <summary>The resources with a binding that is open to the outside.</summary>
    public IEnumerable<string> External() =>
        from resource in Resources
        where resource.Value!["bindings"] is JsonObject bindings && bindings.Any(binding => (bool?)binding.Value!["external"] == true)
        select resource.Key;

    /// <summary>The texts in braces of all values: <c>edge-0.bindings.http.url</c>.</summary>
    public IEnumerable<string> Expressions() => Expression().Matches(Resources.ToJsonString()).Select(match => match.Groups[1].Value);

    [GeneratedRegex(@"\{([a-z][a-z0-9-]*(?:\.[A-Za-z0-9_-]+)+)\}")]
    private static partial Regex Expression();
}
