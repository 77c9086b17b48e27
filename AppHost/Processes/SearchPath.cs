namespace AppHost.Processes;

/// <summary>Finds programs as a shell would.</summary>
internal static class SearchPath
{
    public static string? Find(string program) => Find(program, Environment.GetEnvironmentVariable("PATH") ?? string.Empty);

    public static string? Find(string program, string path) =>
        path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
