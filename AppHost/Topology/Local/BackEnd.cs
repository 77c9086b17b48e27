namespace AppHost.Topology;

/// <summary>Which back end this build has: the local runtime.</summary>
internal static class BackEnd
{
    public const string Announcement =
        "Back end: local runtime (processes of this machine). For Aspire and its dashboard set UseAspire=true; see AppHost/README.md.";

    /// <summary>Why this back end cannot provide stores of a mode, or null if it can.</summary>
    public static string? Objection(StoresMode mode) => mode == StoresMode.Containers
        ? "Stores:Mode=containers needs the Aspire back end (UseAspire=true); this build knows local and external."
        : null;
}
