using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Benchmarks.Reports;

/// <summary>Warnings and errors that the gateway's processes have written, each kind once.</summary>
internal sealed partial class GatewayWarnings
{
    private const int Most = 20;
    private const int Length = 300;

    private readonly Dictionary<string, (string Line, int Count)> _kinds = [];

    /// <summary>Those in some lines of output.</summary>
    public GatewayWarnings(IReadOnlyList<string> output)
    {
        for (var index = 0; index < output.Count; index++)
        {
            if (Sign().IsMatch(output[index]))
            {
                // The console's longer format has the message on the next line.
                var line = output[index].EndsWith(']') && index + 1 < output.Count ? $"{output[index]} {output[index + 1].Trim()}" : output[index];
                var kind = Changing().Replace(line, "#");
                _kinds[kind] = (line, _kinds.GetValueOrDefault(kind).Count + 1);
            }
        }
    }

    /// <summary>Those that came after others were read, as lines of text; empty if there were none.</summary>
    public string Since(GatewayWarnings? before, string when)
    {
        var text = new StringBuilder();
        foreach (var (kind, (line, count)) in _kinds.OrderByDescending(kind => kind.Value.Count).Take(Most))
        {
            var since = count - (before?._kinds.GetValueOrDefault(kind).Count ?? 0);
            if (since > 0)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"{since} x {line[..Math.Min(line.Length, Length)]}");
            }
        }
        return text.Length == 0 ? "" : $"\nWarnings and errors of the gateway {when}:\n{text}";
    }

    [GeneratedRegex("""^(warn|fail|crit):|"LogLevel":"(Warning|Error|Critical)"|ended with exit code [^0]|Unhandled exception""")]
    private static partial Regex Sign();

    [GeneratedRegex("[0-9a-f]*[0-9][0-9a-f-]*")]
    private static partial Regex Changing();
}
