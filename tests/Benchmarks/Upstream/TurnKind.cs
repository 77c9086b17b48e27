namespace Benchmarks.Upstream;

/// <summary>What the upstream does with a turn, as the model named in it asks: <c>bench-json</c>, <c>bench-burst</c> and so on.</summary>
internal enum TurnKind
{
    /// <summary>One JSON answer, at once.</summary>
    Json,

    /// <summary>All events, one after the other.</summary>
    Burst,

    /// <summary>Deltas a while apart, each with the time at which it was written.</summary>
    Paced,

    /// <summary><c>response.created</c>, and nothing after it.</summary>
    Silent,
}

/// <summary>The kind of a turn as it stands in a request.</summary>
internal static class TurnKinds
{
    private static ReadOnlySpan<byte> Prefix => "\"model\":\"bench-"u8;

    /// <summary>The model that asks for a kind.</summary>
    public static string Model(this TurnKind kind) => kind switch
    {
        TurnKind.Json => "bench-json",
        TurnKind.Burst => "bench-burst",
        TurnKind.Paced => "bench-paced",
        TurnKind.Silent => "bench-silent",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The kind that a body or frame asks for.</summary>
    public static TurnKind Of(ReadOnlySpan<byte> request)
    {
        var at = request.IndexOf(Prefix);
        return at < 0 ? TurnKind.Json : request[at + Prefix.Length] switch
        {
            (byte)'b' => TurnKind.Burst,
            (byte)'p' => TurnKind.Paced,
            (byte)'s' => TurnKind.Silent,
            _ => TurnKind.Json,
        };
    }
}
