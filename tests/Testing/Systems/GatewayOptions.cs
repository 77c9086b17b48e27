using Testing.Stores;

namespace Testing.Systems;

/// <summary>What a test wants its gateway to be like.</summary>
/// <param name="Seed">The seed document of the accounts service.</param>
public sealed record GatewayOptions(string Seed)
{
    /// <summary>How many edges.</summary>
    public int Edges { get; init; } = 1;

    /// <summary>Which server of Redis' protocol.</summary>
    public RedisKind Redis { get; init; } = RedisKind.Garnet;

    /// <summary>
    /// Configuration by its key, such as <c>Drain:Seconds</c>: each section goes to the services it belongs to, and a key without a section to all.
    /// </summary>
    public IReadOnlyDictionary<string, string> Configuration { get; init; } = new Dictionary<string, string>();
}
