namespace AppHost.Processes;

/// <summary>The system cannot be started; the message is all that the user needs to see.</summary>
internal sealed class StartRefusedException(string message) : Exception(message);
