using System.Globalization;

namespace Simulator.Turns;

/// <summary>Headers of an answered turn.</summary>
internal static class AnswerHeaders
{
    public static void Apply(HttpResponse response, Turn turn)
    {
        var (headers, answer) = (response.Headers, turn.Rule.Answer);
        headers["openai-organization"] = turn.Account.Organisation.Name;
        headers["openai-processing-ms"] = "1";
        headers["openai-version"] = "2020-10-01";
        headers["openai-model"] = answer.Model ?? turn.Request.Model;
        headers["x-ratelimit-limit-requests"] = "10000";
        headers["x-ratelimit-limit-tokens"] = "2000000";
        headers["x-ratelimit-remaining-requests"] = "9999";
        headers["x-ratelimit-remaining-tokens"] = "1999000";
        headers["x-ratelimit-reset-requests"] = "6ms";
        headers["x-ratelimit-reset-tokens"] = "30ms";
        if (answer.TurnState is { } state)
        {
            headers["x-codex-turn-state"] = state;
        }

        if (answer.CodexRateLimit is { } used)
        {
            headers["x-codex-primary-used-percent"] = used.ToString(CultureInfo.InvariantCulture);
            headers["x-codex-primary-window-minutes"] = "300";
            headers["x-codex-primary-reset-at"] = (turn.CreatedAt + (300 * 60)).ToString(CultureInfo.InvariantCulture);
        }

        foreach (var (name, value) in answer.Headers)
        {
            headers[name] = value;
        }
    }
}
