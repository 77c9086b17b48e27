using System.Text.Json.Serialization;

namespace Simulator.Scripts;

/// <summary>What a rule may be about.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Surface>))]
public enum Surface
{
    /// <summary>A turn, whatever carries it. The default.</summary>
    [JsonStringEnumMemberName("turn")] Turn,

    /// <summary>A turn over HTTP.</summary>
    [JsonStringEnumMemberName("http")] Http,

    /// <summary>A turn over a WebSocket.</summary>
    [JsonStringEnumMemberName("ws")] WebSocket,

    /// <summary>The WebSocket handshake.</summary>
    [JsonStringEnumMemberName("upgrade")] Upgrade,

    /// <summary>Every other request.</summary>
    [JsonStringEnumMemberName("request")] Request,
}

/// <summary>Which turns or requests a rule applies to; everything left out matches everything.</summary>
public sealed record When
{
    /// <summary>The bearer token (or <c>api-key</c>).</summary>
    public string? Account { get; init; }

    /// <summary>The n-th turn of the account (from 1); for <see cref="Surface.Upgrade"/> and <see cref="Surface.Request"/> the n-th of those.</summary>
    public int? Turn { get; init; }

    /// <summary>What is matched.</summary>
    public Surface Surface { get; init; }

    /// <summary>End of the request path, without a query.</summary>
    public string? Path { get; init; }

    /// <summary>HTTP method.</summary>
    public string? Method { get; init; }

    /// <summary>The model of the turn.</summary>
    public string? Model { get; init; }

    /// <summary>Whether the turn has a <c>previous_response_id</c>.</summary>
    public bool? FollowUp { get; init; }

    /// <summary>Whether the turn has <c>generate:false</c>.</summary>
    public bool? Prewarm { get; init; }

    /// <summary>Text that the request body or frame contains.</summary>
    public string? Contains { get; init; }
}

/// <summary>One line of the script: when it applies, how often, the answer it shapes, and what goes wrong on the way.</summary>
public sealed record Rule
{
    /// <summary>What it applies to.</summary>
    public When When { get; init; } = new();

    /// <summary>How many times it applies; null for ever.</summary>
    public int? Times { get; init; }

    /// <summary>The shape of the answer.</summary>
    public Answer Answer { get; init; } = new();

    /// <summary>Departures from the plain answer, in order.</summary>
    public IReadOnlyList<Step> Steps { get; init; } = [];

    /// <summary>Whether the API's own checks come first: not if the script decides at the start what happens.</summary>
    internal bool ChecksDemands => !Answer.Unchecked && Steps.All(step => step.After != Position.Start || step is StallStep or PingStep);

    /// <summary>The plain answer.</summary>
    public static Rule Plain { get; } = new();
}
