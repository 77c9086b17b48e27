namespace Testing.Systems;

/// <summary>Hands configuration given for a gateway on to the services that it belongs to.</summary>
internal static class ServiceConfiguration
{
    public const string Edge = "edge";
    public const string Continuity = "continuity";
    public const string Accounts = "accounts";

    private static readonly Dictionary<string, string[]> Sections = new()
    {
        [Edge] = ["Edge", "Recovery", "Sessions", "Continuity", "Drain", "Logging"],
        [Continuity] = ["Continuity", "Drain", "Logging"],
        [Accounts] = ["Accounts", "Drain", "Logging"],
    };

    /// <summary>The variables of a service.</summary>
    public static IEnumerable<KeyValuePair<string, string>> VariablesOf(string service, IReadOnlyDictionary<string, string> configuration) =>
        from entry in configuration
        where SectionOf(entry.Key) is not { } section || Sections[service].Contains(section)
        select KeyValuePair.Create(entry.Key.Replace(":", "__", StringComparison.Ordinal), entry.Value);

    /// <summary>Refuses a key that no service would get: the test would not test what it says.</summary>
    public static void Check(IReadOnlyDictionary<string, string> configuration)
    {
        if (configuration.Keys.FirstOrDefault(key => SectionOf(key) is { } section && !Sections.Values.Any(sections => sections.Contains(section))) is { } lost)
        {
            throw new ArgumentException($"{lost} belongs to no service.", nameof(configuration));
        }
    }

    private static string? SectionOf(string key) => key.IndexOf(':', StringComparison.Ordinal) is > 0 and var end ? key[..end] : null;
}
