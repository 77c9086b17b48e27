using System.Net;

namespace Proxy.Edge.Clients;

/// <summary>What became of rows that were sent to a service.</summary>
internal enum Delivery
{
    /// <summary>The service has them.</summary>
    Taken,

    /// <summary>The service is there and will never take them as they are: there is something wrong with one of them.</summary>
    Refused,

    /// <summary>The service is away, or busy: the same may be sent again.</summary>
    Away,
}

/// <summary>Tells it from an answer.</summary>
internal static class Deliveries
{
    /// <summary>What an answer, or none, says; <paramref name="taken"/> is the status of success.</summary>
    public static Delivery Of(HttpResponseMessage? response, HttpStatusCode taken) => response?.StatusCode switch
    {
        null => Delivery.Away,
        { } status when status == taken => Delivery.Taken,
        HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity => Delivery.Refused,
        _ => Delivery.Away,
    };
}
