using System.Text.RegularExpressions;

namespace AppHost.LocalRuntime.Output;

/// <summary>One output for everybody: each line begins with the name of who wrote it, in that one's colour.</summary>
internal sealed partial class PrefixedLog(TextWriter writer, bool colours)
{
    private const string Reset = "\e[0m";
    private static readonly string[] Palette = ["\e[36m", "\e[33m", "\e[32m", "\e[35m", "\e[34m", "\e[96m", "\e[93m", "\e[92m", "\e[95m", "\e[94m"];

    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _colourOf = [];

    /// <summary>Standard output; coloured on a terminal unless NO_COLOR asks for none.</summary>
    public static PrefixedLog ForConsole() =>
        new(Console.Out, !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")));

    public void Write(string name, string line)
    {
        lock (_gate)
        {
            writer.Write(colours ? $"{Colour(name)}{name} |{Reset} {line}\n" : $"{name} | {EscapeSequence().Replace(line, string.Empty)}\n");
        }
    }

    public void Flush()
    {
        lock (_gate)
        {
            writer.Flush();
        }
    }

    [GeneratedRegex(@"\e\[[0-9;]*m")]
    private static partial Regex EscapeSequence();

    private string Colour(string name)
    {
        if (!_colourOf.TryGetValue(name, out var colour))
        {
            _colourOf[name] = colour = Palette[_colourOf.Count % Palette.Length];
        }

        return colour;
    }
}
