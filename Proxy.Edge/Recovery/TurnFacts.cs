using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Recovery;

/// <summary>What is known of a turn's anchor.</summary>
internal enum Anchor
{
    /// <summary>The turn carries none.</summary>
    None,

    /// <summary>Its owner is known, and keeps it.</summary>
    Stored,

    /// <summary>It lives on the socket that minted it and dies with it.</summary>
    Local,

    /// <summary>Nobody knows it.</summary>
    Unknown,
}

/// <summary>How far a turn has come, as the client sees it.</summary>
internal enum TurnPhase
{
    /// <summary>No byte of it was handed to upstream.</summary>
    Unsent,

    /// <summary>It was sent; upstream may have begun to run it.</summary>
    Sent,

    /// <summary><c>response.created</c> was relayed, and nothing else of the response.</summary>
    Created,

    /// <summary>More of the response was relayed.</summary>
    Visible,
}

/// <summary>All that a decision about a turn depends on, but for what has just happened to it.</summary>
/// <param name="OverWebSocket">Upstream is reached over a socket: a client's own, or a session's.</param>
/// <param name="Demand">The first id the turn names, its anchor before all others; null if it names none.</param>
/// <param name="HasDomain">It must stay in the ownership domain of what it names.</param>
/// <param name="NamesConversation">It changes a conversation: running it twice would change it twice.</param>
/// <param name="OnlyEncrypted">Its domain is demanded by nothing but encrypted content.</param>
/// <param name="IsAlone">No other turn is on its upstream socket.</param>
/// <param name="Replays">How often it was sent once more, for whatever reason.</param>
/// <param name="CredentialRefreshed">Its account's credential was read anew and is the refused one.</param>
/// <param name="RejectedBefore">This key was told within the last minutes that this anchor does not work.</param>
/// <param name="TimeLeft">Until its deadline.</param>
/// <param name="IsBackground">Upstream runs it whether or not anybody follows its events.</param>
/// <param name="MayGoOverHttp">The client speaks HTTP, and the gateway has put the turn on a session's socket.</param>
/// <param name="OnSession">The client speaks HTTP, and the socket is a session's; or one was on which its anchor lived.</param>
/// <param name="IsGuess">It names or carries something that is at home in one domain only, and nobody knows which.</param>
internal readonly record struct TurnFacts(
    bool OverWebSocket = false,
    bool IsNativeCodex = false,
    Anchor Anchor = Anchor.None,
    OwnedId? Demand = null,
    bool HasDomain = false,
    bool NamesConversation = false,
    bool OnlyEncrypted = false,
    TurnPhase Phase = TurnPhase.Unsent,
    bool IsPrewarm = false,
    bool IsAlone = true,
    int Replays = 0,
    bool CredentialRefreshed = false,
    bool RejectedBefore = false,
    TimeSpan TimeLeft = default,
    string? Model = null,
    bool OnSession = false,
    bool IsBackground = false,
    bool MayGoOverHttp = false,
    bool IsGuess = false,
    bool HasCompaction = false)
{
    // Nothing runs where it is not at home, so trying costs little; but a pool may have many homes.
    private const int MostTries = 4;

    /// <summary>True if it may be tried on yet another account: nobody knows where what it names or carries is at home, and no account has begun it.</summary>
    public bool MayTryElsewhere => IsGuess && Replays < MostTries && TimeLeft > TimeSpan.Zero && Anchor is Anchor.None or Anchor.Unknown && Phase < TurnPhase.Created;

    /// <summary>True if running it twice would fork or double what it continues.</summary>
    public bool IsFollowUp => Anchor != Anchor.None || NamesConversation;

    /// <summary>
    /// Rules 1, 2 and 3: once, in time, and only while the client has seen nothing of the response; of a prewarm it may have seen that it was
    /// created, since there is no output to come. A turn whose anchor lives on a socket has only that one: what refuses it there lets go of the
    /// anchor, too.
    /// </summary>
    public bool CanReplay => Replays == 0 && TimeLeft > TimeSpan.Zero && Anchor != Anchor.Local && (Phase < TurnPhase.Created || (IsPrewarm && Phase == TurnPhase.Created));
}
