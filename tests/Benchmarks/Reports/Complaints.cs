using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Benchmarks.Reports;

/// <summary>Warnings and errors that the gateway's processes have written, each kind once.</summary>
internal static partial class Complaints
{
    private const int Most = 20;
    private const int Length = 300;

    /// <summary>As lines of text; empty if there were none.</summary>
    public static string Of(IReadOnlyList<string> output)
    {
        var text = new StringBuilder();
        var kinds = output.Select((line, index) => (line, index)).Where(one => Sign().IsMatch(one.line))
            // The console's format has the message on the next line.
            .Select(one => one.line.EndsWith(']') && one.index + 1 < output.Count ? $"{one.line} {output[one.index + 1].Trim()}" : one.line)
            .GroupBy(line => Changing().Replace(line, "#")).OrderByDescending(kind => kind.Count()).Take(Most);
        foreach (var kind in kinds)
        {
            var line = kind.First();
            text.AppendLine(CultureInfo.InvariantCulture, $"{kind.Count()} x {line[..Math.Min(line.Length, Length)]}");
        }
        return text.Length == 0 ? "" : $"\nWarnings and errors of the gateway:\n{text}";
    }

    [GeneratedRegex("""^(warn|fail|crit):|"LogLevel":"(Warning|Error|Critical)"|ended with exit code|Unhandled exception""")]
    private static partial Regex Sign();

    [GeneratedRegex("[0-9a-f]*[0-9][0-9a-f-]*")]
    private static partial Regex Changing();
}
