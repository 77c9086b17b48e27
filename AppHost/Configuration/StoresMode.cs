namespace AppHost.Configuration;

/// <summary>Where PostgreSQL and Redis come from (<c>Stores:Mode</c>).</summary>
internal enum StoresMode
{
    /// <summary>External when all three connection strings are given, else containers where a container engine answers, else local.</summary>
    Auto,

    /// <summary>Servers installed on this machine, started as processes.</summary>
    Local,

    /// <summary>Containers.</summary>
    Containers,

    /// <summary>Servers that run already: <c>ConnectionStrings:continuitydb</c>, <c>:accountsdb</c> and <c>:redis</c>.</summary>
    External,
}
