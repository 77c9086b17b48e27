using System.Buffers.Text;

namespace Benchmarks.Load;

/// <summary>Status and framing of an HTTP answer.</summary>
/// <param name="Length">Of the body; null for one in chunks.</param>
internal readonly record struct AnswerHead(int Status, int? Length)
{
    private static ReadOnlySpan<byte> End => "\r\n\r\n"u8;

    private static ReadOnlySpan<byte> LengthName => "\r\ncontent-length:"u8;

    /// <summary>Waits for the head of the next answer, and takes it off the connection.</summary>
    public static AnswerHead Read(Connection connection)
    {
        int end;
        while ((end = connection.Pending.IndexOf(End)) < 0)
        {
            connection.Fill();
        }
        var head = connection.Pending[..(end + End.Length)];
        // HTTP/1.1 200 OK
        if (!Utf8Parser.TryParse(head[9..], out int status, out _))
        {
            throw new IOException("No HTTP answer.");
        }
        var length = LengthOf(head);
        connection.Use(head.Length);
        return new AnswerHead(status, length);
    }

    private static int? LengthOf(ReadOnlySpan<byte> head)
    {
        for (var line = head.IndexOf("\r\n"u8); line >= 0 && line + LengthName.Length < head.Length;)
        {
            if (System.Text.Ascii.EqualsIgnoreCase(head.Slice(line, LengthName.Length), LengthName))
            {
                return Utf8Parser.TryParse(head[(line + LengthName.Length)..].TrimStart((byte)' '), out int length, out _) ? length : null;
            }
            var next = head[(line + 2)..].IndexOf("\r\n"u8);
            line = next < 0 ? -1 : line + 2 + next;
        }
        return null;
    }
}
