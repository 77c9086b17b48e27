using System.Text.Json;
using Simulator.Accounts;

namespace Simulator.Responses;

/// <summary>Checks what only the organisation that minted it can serve: anchor, conversation, files, encrypted content.</summary>
internal static class Demands
{
    /// <param name="knowsLocally">Whether a WebSocket holds the anchor although it is not stored (WIRE 2.1).</param>
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

        // A walk over every item costs, and few requests name either.
        var body = request.Body.Span;
        return body.IndexOf("\"file_id\""u8) < 0 && body.IndexOf("\"encrypted_content\""u8) < 0
            ? null
            : request.Input.Select(item => CheckElement(item, organisation)).FirstOrDefault(error => error is not null);
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

        return element.EnumerateObject().Select(member => CheckElement(member.Value, organisation)).FirstOrDefault(error => error is not null);
    }
}
