namespace AppHost.Topology;

/// <summary>Where PostgreSQL and Redis come from (<c>Stores:Mode</c>).</summary>
internal enum StoresMode
{
    /// <summary>External when all three connection strings are given, else what the back end runs itself.</summary>
    Auto,

    /// <summary>Servers of this machine, started as processes.</summary>
    Local,

    /// <summary>Containers.</summary>
    Containers,

    /// <summary>Servers that run already: <c>ConnectionStrings:continuitydb</c>, <c>:accountsdb</c> and <c>:redis</c>.</summary>
    External,
}
