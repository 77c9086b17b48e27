namespace Proxy.Continuity.Contracts;

/// <summary>What an id names. The kinds share one key space, since upstream's ids carry their kind in their prefix.</summary>
internal static class OwnedKinds
{
    public const string Response = "response";
    public const string Conversation = "conversation";
    public const string File = "file";
    public const string VectorStore = "vector_store";
    public const string Container = "container";
    public const string Upload = "upload";
    public const string Batch = "batch";
    public const string Skill = "skill";

    /// <summary>A session of the Agents API.</summary>
    public const string AgentSession = "agent_session";

    /// <summary>A prompt made on an organisation's dashboard: learned from the turns that it served.</summary>
    public const string Prompt = "prompt";

    /// <summary>An output item of a stored response, which a request may name instead of repeating it.</summary>
    public const string Item = "item";

    /// <summary>The fingerprint of something that an organisation has encrypted: only there it can be read.</summary>
    public const string Encrypted = "encrypted";

    /// <summary>What upstream gave a client to send along, so that its next request finds the same machine. Kept for a day.</summary>
    public const string TurnState = "turn_state";
    public const string Other = "other";

    /// <summary>Upstream keeps these until they are deleted, so their owners outlive the log and every cache.</summary>
    public static bool IsLasting(string kind) => kind is Conversation or File or VectorStore or Container or Upload or Batch or Skill or AgentSession or Prompt;

    /// <summary>Says where something can be used, and is nobody's: whoever sends it has it already.</summary>
    public static bool IsShared(string kind) => kind is Prompt or Encrypted;

    /// <summary>Only a preference: where nothing is known of it, or nothing could be asked, the turn goes on without.</summary>
    public static bool IsPreference(string kind) => kind is TurnState or Encrypted;

    /// <summary>Also made where the gateway does not see it: on a dashboard, or by the provider itself.</summary>
    public static bool IsMadeElsewhere(string kind) => kind is Prompt or Skill;
}

/// <summary>An id that is worth something on the account that minted it only.</summary>
/// <param name="Kind">One of <see cref="OwnedKinds"/>.</param>
/// <param name="Id">The id as upstream gave it.</param>
internal sealed record OwnedId(string Kind, string Id)
{
    /// <summary>Characters of an id. A longer one of upstream's is none: it is not kept, and nobody can come back with it.</summary>
    public const int MaxLength = 512;
}

/// <summary>Who minted an id, for whom, and where it lives.</summary>
/// <param name="KeyId">The API key (or <c>anonymous</c>) whose turn minted it; every other key's answer is <see cref="OwnerOutcome.Foreign"/>.</param>
/// <param name="AccountId">The minting account.</param>
/// <param name="Domain">The ownership domain on which the id is valid.</param>
/// <param name="SessionId">The scope of the turn, as the client named it.</param>
/// <param name="Stored">False: connection-local, so the id dies with the socket that minted it.</param>
/// <param name="TraceParent">W3C trace context of the minting turn, for the span link from its follow-up.</param>
/// <param name="Session">The session whose upstream socket minted it, as <see cref="SessionClaim"/> names it; null if none did.</param>
internal sealed record OwnerRecord(string KeyId, string AccountId, string Domain, string? SessionId, bool Stored, string? TraceParent, string? Session = null);

/// <summary>The answer for one id.</summary>
internal enum OwnerOutcome
{
    /// <summary>Neither store knows it, and both could be asked.</summary>
    Unknown,

    /// <summary>Minted for the asking key.</summary>
    Owner,

    /// <summary>Minted for another key: to the asking one it does not exist.</summary>
    Foreign,
}

/// <summary>One id and its answer.</summary>
/// <param name="Owner">Present with <see cref="OwnerOutcome.Owner"/> only: nothing of another key's turn leaves the service.</param>
/// <param name="Source"><c>redis</c>, <c>session</c> (the record of the asking scope's session) or <c>postgres</c>.</param>
internal sealed record ResolvedOwner(OwnedId Id, OwnerOutcome Outcome, OwnerRecord? Owner, string? Source);

/// <summary>POST <see cref="ContinuityRoutes.Resolve"/>.</summary>
/// <param name="KeyId">The asking API key.</param>
/// <param name="Scope">The conversation the client says the turn belongs to; its last account is a preference.</param>
/// <param name="Ids">At most <see cref="ContinuityRoutes.MaxIds"/>.</param>
/// <param name="SessionId">The same conversation as log rows name it: among rows of one id those of this session count first.</param>
/// <param name="Session">The session of that conversation: its record knows its latest response and turn state where their aliases are lost.</param>
internal sealed record ResolveRequest(string KeyId, string? Scope, IReadOnlyList<OwnedId> Ids, string? SessionId = null, string? Session = null);

/// <summary>The answers, in the order of the ids asked. A status of 503 instead: at least one id could not be looked up.</summary>
/// <param name="ScopeAccountId">The account that served the scope last.</param>
/// <param name="ScopeDomain">Its ownership domain: where what it has encrypted can be read.</param>
internal sealed record ResolveResponse(IReadOnlyList<ResolvedOwner> Owners, string? ScopeAccountId, string? ScopeDomain = null);

/// <summary>POST <see cref="ContinuityRoutes.RejectAnchor"/>: a follow-up is about to be told, in one way or another, that its anchor is dead.</summary>
internal sealed record RejectAnchorRequest(string KeyId, string Anchor);

/// <param name="Before">The key was told so of this anchor within the last <see cref="RejectedMinutes"/> minutes.</param>
internal sealed record RejectAnchorResponse(bool Before)
{
    public const int RejectedMinutes = 10;
}

/// <summary>
/// POST <see cref="ContinuityRoutes.Publish"/>: idempotent; the first owner of an id stays its owner. 204: kept. 409: the id has another owner.
/// 412: <paramref name="Claim"/> has been superseded, and nothing was kept.
/// </summary>
/// <param name="Scope">When given, the scope's account becomes the owner's.</param>
/// <param name="Claim">The claim of the edge on the session that minted the id, where one did.</param>
/// <param name="With">Ids that have the same owner, such as a response's items; at most <see cref="ContinuityRoutes.MaxPublishedWith"/>.</param>
/// <param name="At">When the turn was accepted: a publication that comes late leaves a scope alone that a newer turn has moved.</param>
internal sealed record PublishRequest(
    OwnedId Id, OwnerRecord Owner, string? Scope, SessionClaim? Claim = null, IReadOnlyList<OwnedId>? With = null, DateTimeOffset? At = null);

/// <summary>POST <see cref="ContinuityRoutes.PublishMany"/>: each as if it came alone. One that fails leaves the others as they are.</summary>
/// <param name="Requests">At most <see cref="ContinuityRoutes.MaxPublished"/>.</param>
internal sealed record PublishManyRequest(IReadOnlyList<PublishRequest> Requests);

/// <param name="Statuses">What <see cref="ContinuityRoutes.Publish"/> would have answered to each, in their order.</param>
internal sealed record PublishManyResponse(IReadOnlyList<int> Statuses);
