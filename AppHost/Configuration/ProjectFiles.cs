namespace AppHost.Configuration;

/// <summary>The projects that the topology runs, by their paths below the solution's folder.</summary>
internal static class ProjectFiles
{
    public static readonly string Edge = PathOf("Proxy.Edge");
    public static readonly string Continuity = PathOf("Proxy.Continuity");
    public static readonly string Accounts = PathOf("Proxy.Accounts");
    public static readonly string Simulator = PathOf("tests", "Simulator");

    private static string PathOf(params string[] folders) => Path.Combine([SolutionLayout.Root(), .. folders, $"{folders[^1]}.csproj"]);
}
