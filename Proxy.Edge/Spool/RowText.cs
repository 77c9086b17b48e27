using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Spool;

/// <summary>
/// Bounds the texts of a row. Most of them come from outside (a client's headers and body, upstream's events), and what the services refuse for its size would come back for ever
/// and hold up everybody else's rows.
/// </summary>
internal static class RowText
{
    /// <summary>Characters of any other text.</summary>
    public const int MaxText = 2048;

    private const string CutMark = "[cut]";

    // The names of the fields, numbers, times and punctuation of a row, generously.
    private const int FixedJsonBytes = 1024;

    // A character can be written as \uXXXX.
    private const int MostJsonBytesPerCharacter = 6;

    /// <summary>The row with no text longer than its bound; what was cut ends in <c>[cut]</c>.</summary>
    public static RequestLogRow Capped(this RequestLogRow row) => row with
    {
        RequestId = row.RequestId is { Length: > OwnedId.MaxLength } ? null : row.RequestId,
        SessionId = Cut(row.SessionId, OwnedId.MaxLength),
        AccountId = Cut(row.AccountId, OwnedId.MaxLength),
        Domain = Cut(row.Domain, OwnedId.MaxLength),
        Model = Cut(row.Model, OwnedId.MaxLength),
        ErrorCode = Cut(row.ErrorCode, OwnedId.MaxLength),
        TraceParent = Cut(row.TraceParent, OwnedId.MaxLength),
        Session = Cut(row.Session, OwnedId.MaxLength),
        Continuity = Cut(row.Continuity, MaxText),
        Items = WholeWords(row.Items, MaxText),
    };

    /// <summary>At most so many bytes the row takes as JSON.</summary>
    public static int MostJsonBytes(this RequestLogRow row) => FixedJsonBytes + (MostJsonBytesPerCharacter * (
        Length(row.RequestId) + Length(row.SessionId) + Length(row.AccountId) + Length(row.Domain) + Length(row.Model)
        + Length(row.ErrorCode) + Length(row.TraceParent) + Length(row.Continuity) + Length(row.Session) + Length(row.Items) + Length(row.EdgeId) + Length(row.ApiKeyId)));

    private static string? Cut(string? text, int most)
    {
        if (text is null || text.Length <= most)
        {
            return text;
        }

        // Not through the middle of a character of two units.
        var end = most - CutMark.Length;
        return string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[end - 1]) ? end - 1 : end), CutMark);
    }

    // Half an id would be another one.
    private static string? WholeWords(string? text, int most) =>
        text is null || text.Length <= most ? text : text.LastIndexOf(' ', most) is > 0 and var end ? text[..end] : null;

    private static int Length(string? text) => text?.Length ?? 0;
}
