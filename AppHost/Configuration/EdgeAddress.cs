namespace AppHost.Configuration;

/// <summary>One edge: its name, the port it answers clients on, and the one for other edges and operators.</summary>
internal sealed record EdgeAddress(string Name, int Port, int InternalPort);
