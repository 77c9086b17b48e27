using System.Runtime.InteropServices;

namespace AppHost.Configuration;

/// <summary>Where the build has put the projects: <c>artifacts/bin/PROJECT/CONFIGURATION</c>, side by side with the AppHost.</summary>
internal static class BuiltPrograms
{
    /// <summary>The dotnet that runs the AppHost also runs the projects, whatever PATH says.</summary>
    public static string DotnetHost { get; } = Path.GetFullPath(
        Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));

    /// <summary>The built program of a project, or null where it is not built (or not beside the AppHost).</summary>
    public static string? Of(string projectFile)
    {
        var name = Path.GetFileNameWithoutExtension(projectFile);
        var folder = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

        // A test host carries the AppHost in its own output folder, of the same configuration.
        var program = Path.GetFullPath(Path.Combine(folder.FullName, "..", "..", name, folder.Name, $"{name}.dll"));
        return File.Exists(program) ? program : null;
    }
}
