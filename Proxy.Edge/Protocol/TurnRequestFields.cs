using Proxy.Continuity.Contracts;
using ServiceDefaults.Http;

namespace Proxy.Edge.Protocol;

/// <summary>The members that count once only: read twice, they could mean one thing to us and another to upstream.</summary>
[Flags]
internal enum RequestMember
{
    Type = 1,
    Model = 1 << 1,
    Stream = 1 << 2,
    Store = 1 << 3,
    Background = 1 << 4,
    Generate = 1 << 5,
    StreamId = 1 << 6,
    Anchor = 1 << 7,
    CacheKey = 1 << 8,
    Conversation = 1 << 9,
    ConversationId = 1 << 10,
    Metadata = 1 << 11,
    TurnState = 1 << 12,
    SessionId = 1 << 13,
    ThreadId = 1 << 14,
    ResponseId = 1 << 15,
    Prompt = 1 << 16,
}

/// <summary>What has been read of a request so far, and the first thing that is wrong with it.</summary>
internal sealed class TurnRequestFields(IEqualityComparer<OwnedId>? comparer)
{
    private const int MaxNamedIds = 2_000;

    // The same id again and again costs nothing to say and a copy to read.
    private const int MaxOccurrences = 10_000;
    private const int MaxEncrypted = 8;

    public string? Type, Model, StreamId, PreviousResponseId, ResponseId, ConversationId, PromptCacheKey, TurnState, SessionId, ThreadId;
    public bool Stream, Background, HasCompaction, IsInInput, Store = true, Generate = true;

    private readonly Queue<string> _encrypted = new();
    private HashSet<OwnedId>? _known;
    private RequestMember _seen;
    private int _occurrences;

    public ApiError? Problem { get; set; }

    public List<OwnedId> NamedIds { get; } = [];

    // What is not checked must not be sent on: it might be another key's.
    public void AddNamed(string kind, string id)
    {
        if (id.Length > OwnedId.MaxLength)
        {
            Problem ??= Errors.FieldTooLong(kind == OwnedKinds.Item ? "input" : kind == OwnedKinds.Prompt ? "prompt.id" : $"{kind}_id", OwnedId.MaxLength);
        }
        if (id.Length == 0 || Problem is not null)
        {
            return;
        }
        var named = new OwnedId(kind, id);
        if ((_known ??= new(comparer)).Add(named))
        {
            NamedIds.Add(named);
        }
        if (NamedIds.Count > MaxNamedIds || ++_occurrences > MaxOccurrences)
        {
            Problem ??= Errors.TooManyIds(MaxNamedIds);
        }
    }

    // A history grows at its end, and where its latest is at home the turn is.
    public void AddEncrypted(string fingerprint)
    {
        _encrypted.Enqueue(fingerprint);
        if (_encrypted.Count > MaxEncrypted)
        {
            _encrypted.Dequeue();
        }
    }

    /// <summary>
    /// Readers differ on which of two equal names counts. If we took one and upstream the other, a caller could name an id that was never checked.
    /// </summary>
    public void Once(RequestMember member, string field)
    {
        if ((_seen & member) != 0)
        {
            Problem ??= Errors.RepeatedField(field);
        }
        _seen |= member;
    }

    public TurnRequest ToRequest() => new()
    {
        Type = Type,
        Model = Model,
        Stream = Stream,
        Store = Store,
        Background = Background,
        Generate = Generate,
        StreamId = StreamId,
        PreviousResponseId = PreviousResponseId,
        ResponseId = ResponseId,
        ConversationId = ConversationId,
        NamedIds = NamedIds,
        Encrypted = [.. _encrypted.Reverse().Distinct().Select(fingerprint => new OwnedId(OwnedKinds.Encrypted, fingerprint))],
        PromptCacheKey = PromptCacheKey,
        TurnState = TurnState,
        SessionId = SessionId,
        ThreadId = ThreadId,
        HasCompaction = HasCompaction,
    };
}
