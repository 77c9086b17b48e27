namespace Testing.Stores;

/// <summary>Programs on PATH.</summary>
internal static class SearchPath
{
    public static IEnumerable<string> Directories =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    public static string? Find(string program) => Directories.Select(path => Path.Combine(path, program)).FirstOrDefault(File.Exists);
}
