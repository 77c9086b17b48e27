using System.Runtime.InteropServices;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>Where the build has put the projects: <c>artifacts/bin/PROJECT/CONFIGURATION</c>, side by side with the AppHost.</summary>
/// <param name="appHostOutput">The AppHost's own output folder.</param>
/// <param name="substitute">A program to run in place of every project (<c>LocalRuntime:Program</c>; for tests of the runtime).</param>
internal sealed class ProjectOutput(string appHostOutput, string? substitute)
{
    /// <summary>The dotnet that runs the AppHost also runs the projects, whatever PATH says.</summary>
    public static string DotnetHost { get; } =
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    public string ProgramOf(string projectPath)
    {
        if (substitute is not null)
        {
            return Path.GetFullPath(substitute);
        }

        var name = Path.GetFileNameWithoutExtension(projectPath);
        var folder = new DirectoryInfo(Path.TrimEndingDirectorySeparator(appHostOutput));
        var program = Path.GetFullPath(Path.Combine(folder.FullName, "..", "..", name, folder.Name, $"{name}.dll"));
        return File.Exists(program)
            ? program
            : throw new RunFailedException($"{name} is not built ({program} is missing); run dotnet build in the folder of the solution.");
    }
}
