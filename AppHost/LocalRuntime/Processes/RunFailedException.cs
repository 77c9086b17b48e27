namespace AppHost.LocalRuntime;

/// <summary>The system cannot run; the message is all the user needs to see.</summary>
internal sealed class RunFailedException(string message) : Exception(message);
