using Microsoft.Extensions.Configuration;

namespace AppHost.Configuration;

/// <summary>Finds the solution from the built AppHost, so that it runs from any current directory.</summary>
internal static class SolutionLayout
{
    private const string SolutionFile = "Aspire.sln";

    /// <summary>The folder of the solution file, or the current directory for an AppHost that was copied elsewhere.</summary>
    public static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, SolutionFile)))
            {
                return folder.FullName;
            }
        }

        return Directory.GetCurrentDirectory();
    }

    /// <summary><c>Data:Directory</c>; a relative one is relative to the current directory, the default stands beside the solution.</summary>
    public static string DataDirectory(IConfiguration configuration) =>
        configuration["Data:Directory"] is { Length: > 0 } given ? Path.GetFullPath(given) : Path.Combine(Root(), ".data");
}
