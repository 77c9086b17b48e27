namespace Testing.Processes;

/// <summary>How to start a process, and what ends it at once.</summary>
internal sealed record Launch(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>All variables of the process.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ChildEnvironment.Inherited();

    /// <summary>Default: the test's own.</summary>
    public string WorkingDirectory { get; init; } = "";

    /// <summary>Removed if the test process ends without ending the process. Several processes may have the same: the last one to end takes it along.</summary>
    public string Directory { get; init; } = "";

    /// <summary>What ends it at once, with all it has started.</summary>
    public EndSignal EndSignal { get; init; } = EndSignal.Kill;
}

/// <summary>Signals that end a process at once; their numbers are the same on Linux and macOS.</summary>
internal enum EndSignal
{
    /// <summary>For what has no children, or only some in its own process group.</summary>
    Kill = 9,

    /// <summary>For PostgreSQL, whose children have groups of their own: it ends them, and writes nothing more.</summary>
    Quit = 3,
}
