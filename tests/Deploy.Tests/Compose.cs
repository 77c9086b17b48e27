using System.Globalization;
using System.Text.RegularExpressions;

namespace Deploy.Tests;

/// <summary><c>compose.yaml</c>, with its merges resolved.</summary>
internal static partial class Compose
{
    public static string Text { get; } = File.ReadAllText(Path.Combine(DeployFiles.Root, "compose.yaml"));

    public static Node Document { get; } = DeployFiles.ReadYaml(Path.Combine(DeployFiles.Root, "compose.yaml"));

    public static IReadOnlyDictionary<string, Node> Services { get; } =
        Document["services"].Entries.ToDictionary(service => service.Key, service => service.Value, StringComparer.Ordinal);

    public static IReadOnlyDictionary<string, string> Variables { get; } = DeployFiles.ReadVariables(Path.Combine(DeployFiles.Root, ".env.example"));

    /// <summary>Our services' containers.</summary>
    public static IEnumerable<ServiceContainer> Containers =>
        from service in Services
        let image = Expand(service.Value["image"].Text).Split(':')[0]
        where image.StartsWith(ServiceContainer.ImagePrefix, StringComparison.Ordinal)
        select new ServiceContainer(
            $"compose/{service.Key}",
            image[ServiceContainer.ImagePrefix.Length..],
            service.Value["command"].Items.Any(argument => argument.Text == "migrate"),
            service.Value["environment"].Entries.ToDictionary(variable => variable.Key, variable => Expand(variable.Value.Text), StringComparer.Ordinal),
            new HashSet<string>(),
            // Ten seconds is what a container gets that does not say.
            service.Value["stop_grace_period"] is { Exists: true } grace ? Seconds(grace.Text) : 10,
            SleepSeconds: 0);

    /// <summary>The variables that the file refers to.</summary>
    public static IEnumerable<string> References => Reference().Matches(Text).Select(match => match.Groups["name"].Value).Distinct();

    /// <summary>Text with its variables replaced: by the example's value, or a stand-in for a secret.</summary>
    public static string Expand(string text) => Reference().Replace(text, match =>
        Variables.GetValueOrDefault(match.Groups["name"].Value) is { Length: > 0 } value ? value
            : match.Groups["default"] is { Success: true, Value: var otherwise } ? otherwise
            : ServiceContainer.StandInFor(match.Groups["name"].Value));

    public static double Seconds(string text) => double.Parse(text.TrimEnd('s'), CultureInfo.InvariantCulture);

    // ${TAG:-dev} has a default, ${ADMIN_TOKEN:?} must be given.
    [GeneratedRegex(@"\$\{(?<name>\w+):(\?|-(?<default>[^}]*))\}")]
    private static partial Regex Reference();
}
