namespace AppHost.Topology;

/// <summary>Which back end this build has: Aspire.</summary>
internal static class BackEnd
{
    public const string Announcement =
        "Back end: Aspire. For the local runtime, which needs no container engine, set UseAspire=false; see AppHost/README.md.";

    /// <summary>Why this back end cannot provide stores of a mode, or null if it can.</summary>
    public static string? Objection(StoresMode mode) => mode == StoresMode.Local
        ? "Stores:Mode=local needs the local runtime (UseAspire=false); this build knows containers and external."
        : null;
}
