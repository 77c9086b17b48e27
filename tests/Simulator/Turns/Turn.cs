using System.Text.Json;
using Simulator.Accounts;
using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>The client's frame that ends a response before its time, and the reason by which it is then incomplete.</summary>
internal sealed record Stop(string Reason, JsonElement Frame);

/// <summary>One response in the making: who asked, what for, under which rule, and what the model says.</summary>
internal sealed class Turn
{
    private readonly TaskCompletionSource<Stop> _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _sequence = -1;
    private int _ended;

    public Turn(Account account, TurnRequest request, Rule rule, DateTimeOffset now)
    {
        (Account, Request, Rule) = (account, request, rule);
        Id = rule.Answer.ResponseId ?? Ids.Response();
        CreatedAt = now.ToUnixTimeSeconds();
    }

    public Account Account { get; }

    public TurnRequest Request { get; }

    public Rule Rule { get; }

    public string Id { get; }

    public long CreatedAt { get; }

    /// <summary>Whether a WebSocket carries it: some events exist only there.</summary>
    public bool OverWebSocket { get; init; }

    /// <summary>The lane to name in every event.</summary>
    public string? StreamId { get; init; }

    /// <summary>Items of the chain before this turn, where the anchor is not a stored response.</summary>
    public int LocalContextItems { get; init; }

    /// <summary>Told when the response is complete and may be continued.</summary>
    public Action<Turn>? Kept { get; init; }

    /// <summary>Whether <c>response.created</c> has left.</summary>
    public bool Created { get; set; }

    /// <summary>What a client stops it with before its end.</summary>
    public Task<Stop> Stopped => _stop.Task;

    public int ContextBefore => Request switch
    {
        { PreviousResponseId: { } anchor } => Account.Organisation.Responses.TryGet(anchor, out var stored) ? stored.ContextItems : LocalContextItems,
        { ConversationId: { } id } => Account.Organisation.Conversations.TryGet(id, out var conversation) ? conversation.Items.Count : 0,
        _ => 0,
    };

    public IReadOnlyList<OutputItem> Output => field ??= Composition.Compose(this);

    public int ContextItems => ContextBefore + Request.Input.Count + Output.Count;

    /// <summary>The account has one more turn in flight.</summary>
    public void Begin() => Account.TurnStarted();

    /// <summary>And one less; later calls change nothing.</summary>
    public void End()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            Account.TurnEnded();
        }
    }

    public int NextSequence() => Interlocked.Increment(ref _sequence);

    public bool Steer(JsonElement frame) => _stop.TrySetResult(new Stop("steered", frame));

    public bool Interrupt(JsonElement frame) => _stop.TrySetResult(new Stop("interrupted", frame));

    /// <summary>Replaces the placeholders of scripted text.</summary>
    public string Fill(string text) => text
        .Replace("{response_id}", Id, StringComparison.Ordinal)
        .Replace("{previous_response_id}", Request.PreviousResponseId ?? "none", StringComparison.Ordinal)
        .Replace("{model}", Request.Model, StringComparison.Ordinal);

    /// <summary>Makes the response known to the organisation. Before its terminal event leaves, since a follow-up may come at once.</summary>
    public void Keep(byte[] response)
    {
        Kept?.Invoke(this);
        if (Request.Store)
        {
            foreach (var item in Output)
            {
                Account.Organisation.Items.Put(item.Id, item.Id);
            }
        }
        if (Account.Organisation.Responses.TryGet(Id, out var known))
        {
            known.Json = response;
        }
        else if (Request.Store)
        {
            Account.Organisation.Responses.Put(Id, new StoredResponse(Id, Request.Input, ContextItems) { Json = response });
        }

        if (Request.ConversationId is { } id && Account.Organisation.Conversations.TryGet(id, out var conversation))
        {
            conversation.Add(Request.Input);
            conversation.Add(Output.Select(item => JsonDocument.Parse(JsonBytes.Write(item, static (json, i) => i.Write(json, done: true))).RootElement));
        }
    }
}
