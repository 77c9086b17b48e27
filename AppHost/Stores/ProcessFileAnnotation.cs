namespace AppHost.Stores;

/// <summary>Says that a resource's process writes its id into the first line of a file: the orchestrator knows only the shell in front of it.</summary>
/// <param name="Path">The file.</param>
internal sealed record ProcessFileAnnotation(string Path) : IResourceAnnotation;
