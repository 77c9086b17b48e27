using System.Reflection;

namespace ServiceDefaults.Data;

/// <summary>SQL and Lua files that travel inside their service's assembly.</summary>
public static class EmbeddedText
{
    /// <summary>The text of the one embedded file whose name ends in <paramref name="fileName"/>.</summary>
    /// <exception cref="InvalidOperationException">No embedded file, or more than one, has that name.</exception>
    public static string Read(Assembly assembly, string fileName)
    {
        var names = assembly.GetManifestResourceNames().Where(name => name.EndsWith("." + fileName, StringComparison.Ordinal)).ToArray();
        if (names.Length != 1)
        {
            throw new InvalidOperationException($"{assembly.GetName().Name} embeds {names.Length} files named {fileName}.");
        }
        return ReadResource(assembly, names[0]);
    }

    /// <summary>All embedded files with this ending, ordered by name: (name, text).</summary>
    public static IReadOnlyList<(string Name, string Text)> ReadAll(Assembly assembly, string extension) =>
        [.. assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(extension, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name => (name, ReadResource(assembly, name)))];

    private static string ReadResource(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
