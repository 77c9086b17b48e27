using System.Globalization;
using System.Text;
using Simulator.Accounts;
using Simulator.Responses;

namespace Simulator.Turns;

/// <summary>What the model "says": deterministic, and telling enough to assert on.</summary>
internal static class Composition
{
    public static IReadOnlyList<OutputItem> Compose(Turn turn)
    {
        var (request, answer) = (turn.Request, turn.Rule.Answer);
        if (!request.Generate)
        {
            return [];
        }

        if (request.Compacts)
        {
            return [new CompactionItem(Ids.Compaction(), EncryptedContent.Mint(turn.Account.Organisation))];
        }

        var items = new List<OutputItem>(2);
        if (answer.Reasoning ?? request.IncludesEncryptedReasoning)
        {
            items.Add(new ReasoningItem(
                Ids.Reasoning(), request.IncludesEncryptedReasoning ? EncryptedContent.Mint(turn.Account.Organisation) : null));
        }

        if (answer.Text is not null || answer.Calls.Count == 0)
        {
            items.Add(new MessageItem(Ids.Message(), Text(turn)));
        }

        items.AddRange(answer.Calls.Select(call => new FunctionCallItem(Ids.FunctionCall(), Ids.Call(), call.Name, call.Arguments.GetRawText())));
        return items;
    }

    /// <summary>Cuts text into the deltas that the rule asks for; four by default.</summary>
    public static IEnumerable<string> Deltas(Turn turn, string text)
    {
        var size = turn.Rule.Answer.DeltaSize ?? (text.Length + (turn.Rule.Answer.Deltas ?? 4) - 1) / Math.Max(1, turn.Rule.Answer.Deltas ?? 4);
        for (var start = 0; start < text.Length; start += size)
        {
            yield return text.Substring(start, Math.Min(size, text.Length - start));
        }
    }

    private static string Text(Turn turn)
    {
        var (request, answer) = (turn.Request, turn.Rule.Answer);
        if (answer is { Deltas: { } count, DeltaSize: { } size, Text: null })
        {
            return Filler(count * size);
        }

        if (answer.Text is { } scripted)
        {
            return scripted;
        }

        var said = request.UserText is { } user ? $"You said: {user}. " : "";
        var tool = request.ToolOutput is { } output ? $"Tool said: {output}. " : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{said}{tool}Items: {request.Input.Count}. Anchor: {request.PreviousResponseId ?? "none"}. Context: {turn.ContextBefore + request.Input.Count}.");
    }

    private static string Filler(int length)
    {
        const string Words = "lorem ipsum dolor sit amet consectetur adipiscing elit ";
        return new StringBuilder(length + Words.Length).Insert(0, Words, (length / Words.Length) + 1).ToString(0, length);
    }
}
