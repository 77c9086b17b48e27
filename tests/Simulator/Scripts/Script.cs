using System.Text.Json;
using System.Text.Json.Serialization;

namespace Simulator.Scripts;

/// <summary>What a rule is matched against.</summary>
public sealed record Occasion(Surface Surface, string Account, int Number, string Method, string Path)
{
    /// <summary>Model of the turn.</summary>
    public string? Model { get; init; }

    /// <summary>Whether the turn has an anchor.</summary>
    public bool FollowUp { get; init; }

    /// <summary>Whether the turn is a prewarm.</summary>
    public bool Prewarm { get; init; }

    /// <summary>The request body or frame.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }
}

/// <summary>The rules in force. The first one that matches and is not used up applies.</summary>
public sealed class Script
{
    private readonly Lock _lock = new();
    private readonly List<(Rule Rule, int Used)> _rules = [];

    /// <summary>JSON form of the language.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowOutOfOrderMetadataProperties = true,
        RespectRequiredConstructorParameters = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    };

    /// <summary>The rules, with how often each has applied.</summary>
    public IReadOnlyList<(Rule Rule, int Used)> Rules
    {
        get
        {
            lock (_lock)
            {
                return [.. _rules];
            }
        }
    }

    /// <summary>Adds rules after those in force.</summary>
    public void Add(params IEnumerable<Rule> rules)
    {
        lock (_lock)
        {
            _rules.AddRange(rules.Select(rule => (rule, 0)));
        }
    }

    /// <summary>Removes all rules.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _rules.Clear();
        }
    }

    /// <summary>The rule that applies, counted as used; the plain answer if there is none.</summary>
    public Rule Take(Occasion occasion)
    {
        lock (_lock)
        {
            for (var i = 0; i < _rules.Count; i++)
            {
                var (rule, used) = _rules[i];
                if ((rule.Times is not { } times || used < times) && Matches(rule.When, occasion))
                {
                    _rules[i] = (rule, used + 1);
                    return rule;
                }
            }
        }

        return Rule.Plain;
    }

    private static bool Matches(When when, Occasion occasion) =>
        (when.Surface == occasion.Surface || (when.Surface is Surface.Turn && occasion.Surface is Surface.Http or Surface.WebSocket))
        && (when.Account is null || when.Account == occasion.Account)
        && (when.Turn is null || when.Turn == occasion.Number)
        && (when.Path is null || occasion.Path.EndsWith(when.Path, StringComparison.Ordinal))
        && (when.Method is null || string.Equals(when.Method, occasion.Method, StringComparison.OrdinalIgnoreCase))
        && (when.Model is null || when.Model == occasion.Model)
        && (when.FollowUp is null || when.FollowUp == occasion.FollowUp)
        && (when.Prewarm is null || when.Prewarm == occasion.Prewarm)
        && (when.Contains is null || occasion.Body.Span.IndexOf(System.Text.Encoding.UTF8.GetBytes(when.Contains)) >= 0);
}
