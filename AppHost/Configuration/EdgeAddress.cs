namespace AppHost.Configuration;

/// <summary>One edge: its name and the port it answers on.</summary>
internal sealed record EdgeAddress(string Name, int Port);
