using System.Runtime.InteropServices;

namespace Testing.Processes;

/// <summary>Where the build has put the programs of this solution, as seen from a running test.</summary>
public static class BuiltPrograms
{
    /// <summary>The folder with the solution file.</summary>
    public static string SolutionDirectory { get; } = FindSolution();

    /// <summary>The dotnet that runs the test, whatever PATH says.</summary>
    public static string Dotnet { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    /// <summary>The program of a project, built in the same configuration as the test.</summary>
    public static string Of(string project)
    {
        var configuration = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)).Name;
        var program = Path.Combine(SolutionDirectory, "artifacts", "bin", project, configuration, $"{project}.dll");
        return File.Exists(program) ? program : throw new FileNotFoundException($"{project} is not built.", program);
    }

    private static string FindSolution()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Aspire.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("No Aspire.sln above the test.");
    }
}
