using System.Collections;

namespace Testing.Processes;

/// <summary>The variables that processes get from the test's own.</summary>
internal static class ChildEnvironment
{
    // What is needed to run a program at all. Whatever else a developer's shell has - proxies, credentials, configuration - would make a test of theirs another one.
    private static readonly HashSet<string> Handed = new(StringComparer.Ordinal)
    {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
        "DOTNET_ROOT", "DOTNET_CLI_HOME", "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_NOLOGO", "NUGET_PACKAGES",
    };

    /// <summary>All of the test's own, for programs that fetch something.</summary>
    public static Dictionary<string, string> Everything() => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
        .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal);

    /// <summary>Those that every process gets.</summary>
    public static Dictionary<string, string> Inherited() => Filter(Everything());

    /// <summary>Of some variables those that every process gets.</summary>
    public static Dictionary<string, string> Filter(IReadOnlyDictionary<string, string> variables) =>
        variables.Where(variable => Handed.Contains(variable.Key)).ToDictionary(StringComparer.Ordinal);
}
