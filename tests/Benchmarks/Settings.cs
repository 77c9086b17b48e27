using System.Globalization;

namespace Benchmarks;

/// <summary>What a run was asked to do.</summary>
internal sealed record Settings
{
    public const string Usage = "Benchmarks [--quick] [--only json,sse,followup,websocket,paced,memory] [--rounds N] [--seconds N] [--streams N] [--pairs N] [--json FILE]";

    /// <summary>Fewer rounds, and fewer sockets.</summary>
    public bool Quick { get; private init; }

    /// <summary>Scenarios to run; all if empty.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>Rounds of each target.</summary>
    public int Rounds { get; private init; } = 5;

    /// <summary>Seconds of a round.</summary>
    public int Seconds { get; private init; } = 1;

    /// <summary>Paced streams side by side.</summary>
    public int Streams { get; private init; } = 64;

    /// <summary>Idle WebSockets, and silent streams.</summary>
    public int Pairs { get; private init; } = 2000;

    /// <summary>Where the report goes as JSON.</summary>
    public string? Json { get; private init; }

    /// <exception cref="FormatException">Something that is none of the options.</exception>
    public static Settings Parse(IReadOnlyList<string> arguments)
    {
        var settings = arguments.Contains("--quick") ? new Settings { Quick = true, Rounds = 3, Pairs = 500 } : new Settings();
        for (var at = 0; at < arguments.Count; at++)
        {
            string Value() => ++at < arguments.Count ? arguments[at] : throw new FormatException($"{arguments[at - 1]} takes a value.");
            int Number() => int.TryParse(Value(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
                ? number : throw new FormatException($"{arguments[at - 1]} takes a number.");
            settings = arguments[at] switch
            {
                "--quick" => settings,
                "--only" => settings with { Only = Value().Split(',') },
                "--rounds" => settings with { Rounds = Number() },
                "--seconds" => settings with { Seconds = Number() },
                "--streams" => settings with { Streams = Number() },
                "--pairs" => settings with { Pairs = Number() },
                "--json" => settings with { Json = Value() },
                var other => throw new FormatException($"Unknown: {other}"),
            };
        }
        return settings;
    }
}
