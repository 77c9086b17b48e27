namespace AppHost.Topology;

/// <summary>Where the projects are that the topology runs, relative to this one.</summary>
internal static class ProjectFiles
{
    public const string Edge = "../Proxy.Edge/Proxy.Edge.csproj";
    public const string Continuity = "../Proxy.Continuity/Proxy.Continuity.csproj";
    public const string Accounts = "../Proxy.Accounts/Proxy.Accounts.csproj";
    public const string Simulator = "../tests/Simulator/Simulator.csproj";
}
