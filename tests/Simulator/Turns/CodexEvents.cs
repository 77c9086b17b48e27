using Simulator.Responses;

namespace Simulator.Turns;

/// <summary>Events that only Codex's own service sends, on a WebSocket. They carry no sequence number.</summary>
internal static class CodexEvents
{
    /// <summary>Turn state for later turns to send back.</summary>
    public static TurnEvent TurnState(Turn turn, string state) =>
        new("response.metadata", JsonBytes.Write((turn, state), static (json, s) =>
        {
            json.WriteStartObject();
            json.WriteString("type", "response.metadata");
            if (s.turn.StreamId is { } lane)
            {
                json.WriteString("stream_id", lane);
            }

            json.WriteStartObject("headers");
            json.WriteString("x-codex-turn-state", s.state);
            json.WriteEndObject();
            json.WriteEndObject();
        }));

    public static TurnEvent RateLimits(Turn turn, double usedPercent) =>
        new("codex.rate_limits", JsonBytes.Write((turn, usedPercent), static (json, s) =>
        {
            json.WriteStartObject();
            json.WriteString("type", "codex.rate_limits");
            json.WriteString("plan_type", "pro");
            json.WriteStartObject("rate_limits");
            json.WriteStartObject("primary");
            json.WriteNumber("used_percent", s.usedPercent);
            json.WriteNumber("window_minutes", 300);
            json.WriteNumber("reset_at", s.turn.CreatedAt + (300 * 60));
            json.WriteEndObject();
            json.WriteNull("secondary");
            json.WriteEndObject();
            json.WriteStartObject("credits");
            json.WriteBoolean("has_credits", false);
            json.WriteBoolean("unlimited", false);
            json.WriteNull("balance");
            json.WriteEndObject();
            json.WriteEndObject();
        }));
}
