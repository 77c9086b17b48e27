namespace Aspire.Hosting.ApplicationModel;

/// <summary>What must have happened to another resource before one is started.</summary>
/// <param name="On">The name of the other resource.</param>
/// <param name="Completion">True if it must have ended with exit code 0; false if it must be healthy.</param>
internal sealed record Dependency(string On, bool Completion);
