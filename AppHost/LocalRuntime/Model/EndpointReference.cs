namespace Aspire.Hosting.ApplicationModel;

/// <summary>Where a resource listens.</summary>
/// <param name="EndpointName">The endpoint's name, which is also its scheme.</param>
/// <param name="Port">The port on the loopback address.</param>
/// <param name="IsFixed">Whether the port was asked for, not taken from the free ones.</param>
public sealed record EndpointReference(string EndpointName, int Port, bool IsFixed)
{
    public string Url => $"http://127.0.0.1:{Port}";
}
