namespace Aspire.Hosting.ApplicationModel;

/// <summary>A resource has become healthy.</summary>
public sealed record ResourceReadyEvent(IResource Resource);
