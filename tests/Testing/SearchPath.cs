namespace Testing;

/// <summary>Programs on PATH.</summary>
public static class SearchPath
{
    /// <summary>The folders of PATH, in their order.</summary>
    public static IEnumerable<string> Directories =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The first program of that name, or null.</summary>
    public static string? Find(string program) => Directories.Select(path => Path.Combine(path, program)).FirstOrDefault(File.Exists);
}
