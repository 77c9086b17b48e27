namespace AppHost.LocalRuntime.Processes;

/// <summary>How to start a child, and how to ask it to end.</summary>
internal sealed record Launch(string Program, IReadOnlyList<string> Arguments)
{
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public string? WorkingDirectory { get; init; }

    public Signal StopSignal { get; init; } = Signal.Terminate;

    /// <summary>How long the child may take to end before it is killed.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(15);
}
