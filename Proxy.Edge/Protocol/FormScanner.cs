using System.Text;
using Microsoft.Net.Http.Headers;
using Proxy.Continuity.Contracts;
using ServiceDefaults.Http;

namespace Proxy.Edge.Protocol;

/// <summary>
/// Reads a form (RFC 7578) for what routing needs, and refuses one that two readers could read in two ways:
/// <code>
/// --boundary
/// Content-Disposition: form-data; name="model"
///
/// gpt-image-1
/// --boundary--
/// </code>
/// </summary>
internal static class FormScanner
{
    private const int MaxParts = 1000;
    private const int MaxHeaderBytes = 8 << 10;
    private const int MaxValueBytes = 512;

    // RFC 2046 section 5.1.1.
    private const int MaxBoundary = 70;

    /// <summary>True for a content type of forms.</summary>
    public static bool IsForm(string? contentType) => contentType?.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>The scanned request, or the error to answer.</summary>
    public static (TurnRequest? Request, ApiError? Error) Scan(ReadOnlySpan<byte> form, string? contentType)
    {
        if (BoundaryOf(contentType) is not { } boundary)
        {
            return (null, Errors.BrokenForm);
        }
        var delimiter = Encoding.ASCII.GetBytes("--" + boundary);
        var fields = new Fields();
        if (!form.StartsWith(delimiter))
        {
            return (null, Errors.BrokenForm);
        }
        for (var parts = 0; parts < MaxParts; parts++)
        {
            form = form[delimiter.Length..];
            if (form.StartsWith("--"u8))
            {
                // A reader that goes on behind the end would find parts that nobody has checked.
                return form[2..].IndexOf(delimiter) >= 0 ? (null, Errors.BrokenForm) : fields.ToRequest();
            }
            if (!form.StartsWith("\r\n"u8) || NextDelimiter(form, delimiter) is not { } end || !ReadPart(form[2..(end - 2)], fields))
            {
                return (null, fields.Problem ?? Errors.BrokenForm);
            }
            form = form[end..];
        }
        return (null, Errors.BrokenForm);
    }

    // Where a line begins with the delimiter it ends the part; one behind half a line break is one to some readers, and none to others.
    private static int? NextDelimiter(ReadOnlySpan<byte> form, ReadOnlySpan<byte> delimiter)
    {
        for (var from = 2; form[from..].IndexOf(delimiter) is >= 0 and var found; from += found + 1)
        {
            var at = from + found;
            if (form[at - 1] is not ((byte)'\n' or (byte)'\r'))
            {
                continue;
            }
            var rest = form[(at + delimiter.Length)..];
            return at >= 4 && form[(at - 2)..at].SequenceEqual("\r\n"u8) && (rest.StartsWith("\r\n"u8) || rest.StartsWith("--"u8)) ? at : null;
        }
        return null;
    }

    private static bool ReadPart(ReadOnlySpan<byte> part, Fields fields)
    {
        var end = part.IndexOf("\r\n\r\n"u8);
        if (end is < 0 or > MaxHeaderBytes)
        {
            return false;
        }
        string? disposition = null;
        var isEncoded = false;
        foreach (var line in Encoding.UTF8.GetString(part[..end]).Split("\r\n"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1 || line.AsSpan().ContainsAny('\r', '\n', '\0'))
            {
                return false;
            }
            var name = line.AsSpan(0, colon);
            isEncoded |= name.Equals("content-transfer-encoding", StringComparison.OrdinalIgnoreCase);
            if (!name.Equals("content-disposition", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }
            if (disposition is not null)
            {
                return false;
            }
            disposition = line[(colon + 1)..].Trim();
        }
        if (NameOf(disposition) is not { } field)
        {
            return false;
        }
        return !fields.Wants(field) || (!isEncoded && fields.Take(field, part[(end + 4)..]));
    }

    // Two names, or one that is written in another way as well, would be one to us and another to upstream.
    private static string? NameOf(string? disposition)
    {
        if (!ContentDispositionHeaderValue.TryParse(disposition, out var parsed) || !parsed.DispositionType.Equals("form-data", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }
        var names = parsed.Parameters.Where(parameter => parameter.Name.StartsWith("name", StringComparison.OrdinalIgnoreCase)).ToArray();
        return names is [{ Name.Length: 4 } only] && HeaderUtilities.UnescapeAsQuotedString(only.Value) is { Length: > 0, Value: { } name } ? name : null;
    }

    private static string? BoundaryOf(string? contentType)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var type) || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }
        var boundaries = type.Parameters.Where(parameter => parameter.Name.StartsWith("boundary", StringComparison.OrdinalIgnoreCase)).ToArray();
        return boundaries is [{ Name.Length: 8 } only] && HeaderUtilities.RemoveQuotes(only.Value) is { Length: > 0 and <= MaxBoundary, Value: { } boundary } && Ascii.IsValid(boundary) ? boundary : null;
    }

    private sealed class Fields
    {
        private readonly List<string> _files = [];
        private string? _model;

        public ApiError? Problem { get; private set; }

        public bool Wants(string field) => field is "model" || IsFile(field);

        /// <summary>False, and mostly with a <see cref="Problem"/>, for a value that is none.</summary>
        public bool Take(string field, ReadOnlySpan<byte> bytes)
        {
            Problem ??= bytes.Length > MaxValueBytes ? Errors.FieldTooLong(field, MaxValueBytes) : null;
            if (Problem is not null || bytes.Length == 0)
            {
                return Problem is null;
            }
            var value = Encoding.UTF8.GetString(bytes);
            if (IsFile(field))
            {
                _files.Add(value);
                return true;
            }
            Problem = _model is null ? null : Errors.RepeatedField(field);
            _model = value;
            return Problem is null;
        }

        public (TurnRequest? Request, ApiError? Error) ToRequest() => (new TurnRequest { Model = _model, NamedIds = [.. _files.Distinct(StringComparer.Ordinal).Select(file => new OwnedId(OwnedKinds.File, file))] }, null);

        private static bool IsFile(string field) => field is "file_id" or "file_ids" or "file_ids[]";
    }
}
