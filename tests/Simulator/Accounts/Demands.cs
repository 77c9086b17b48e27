using System.Text;
using System.Text.Json;
using Simulator.Responses;

namespace Simulator.Accounts;

/// <summary>Checks what only the organisation that minted it can serve: anchor, conversation, files, encrypted content.</summary>
internal static class Demands
{
    private static readonly string[] Telling = ["\"file_id\"", "\"encrypted_content\"", "\"item_reference\"", "\"vector_store_ids\"", "\"container\"", "\"skill_id\""];

    /// <param name="knowsLocally">Whether a WebSocket holds the anchor although it is not stored.</param>
    public static ApiError? Check(TurnRequest request, Organisation organisation, Func<string, bool> knowsLocally)
    {
        if (request.PreviousResponseId is { } anchor && !organisation.Responses.TryGet(anchor, out _) && !knowsLocally(anchor))
        {
            return ApiError.PreviousResponseNotFound(anchor);
        }

        if (request.ConversationId is { } conversation && !organisation.Conversations.TryGet(conversation, out _))
        {
            return ApiError.ConversationNotFound(conversation);
        }

        // A walk over every item costs, and few requests name anything.
        return !Telling.Any(name => request.Body.Span.IndexOf(Encoding.UTF8.GetBytes(name)) >= 0)
            ? null
            : new[] { "input", "tools", "prompt" }.Select(name => request.Root.TryGetProperty(name, out var member) ? CheckElement(member, organisation) : null)
                .FirstOrDefault(error => error is not null);
    }

    // {"vector_store_ids":["vs_1"]}, {"container":"cntr_1"}, {"skill_id":"skill_1"}
    private static IEnumerable<(string Type, string Id)> Named(JsonElement element)
    {
        if (element.TryGetProperty("vector_store_ids", out var stores) && stores.ValueKind == JsonValueKind.Array)
        {
            foreach (var store in stores.EnumerateArray())
            {
                yield return ("vector_store", store.ToString());
            }
        }
        if (TurnRequest.Text(element, "container") is { } container)
        {
            yield return ("container", container);
        }
        if (TurnRequest.Text(element, "skill_id") is { } skill)
        {
            yield return ("skill", skill);
        }
    }

    private static ApiError? CheckElement(JsonElement element, Organisation organisation)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            return element.EnumerateArray().Select(item => CheckElement(item, organisation)).FirstOrDefault(error => error is not null);
        }

        if (element.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (TurnRequest.Text(element, "file_id") is { } file && !organisation.Files.TryGet(file, out _))
        {
            return ApiError.FileNotFound(file);
        }

        if (TurnRequest.Text(element, "encrypted_content") is { } content && !EncryptedContent.Opens(content, organisation))
        {
            return ApiError.Invalid(
                $"The encrypted content {content[..Math.Min(4, content.Length)]}... could not be verified. "
                + "Reason: Encrypted content organization_id did not match the target organization.",
                null,
                "invalid_encrypted_content");
        }

        if (TurnRequest.Text(element, "type") == "item_reference" && TurnRequest.Text(element, "id") is { } item && !organisation.Items.TryGet(item, out _))
        {
            return ApiError.ItemNotFound(item);
        }

        if (Named(element).FirstOrDefault(named => !organisation.Objects.TryGet(named.Id, out _)) is { Id: not null } missing)
        {
            return ApiError.ObjectNotFound(missing.Type, missing.Id);
        }

        return element.EnumerateObject().Select(member => CheckElement(member.Value, organisation)).FirstOrDefault(error => error is not null);
    }
}
