namespace Aspire.Hosting.ApplicationModel;

/// <summary>The variables of a child, while they are put together.</summary>
public sealed class EnvironmentCallbackContext
{
    public Dictionary<string, object> EnvironmentVariables { get; } = [];
}
