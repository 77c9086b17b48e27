using System.Globalization;
using AppHost.Stores;

namespace AppHost.Lifecycle;

/// <summary>Finds the process behind a resource.</summary>
internal static class ProcessIds
{
    // Aspire's KnownProperties.Executable.Pid, which is not public.
    private const string Property = "executable.pid";

    /// <summary>The process the orchestrator has started for a resource, or null while there is none.</summary>
    public static int? Started(this CustomResourceSnapshot snapshot) =>
        snapshot.Properties.FirstOrDefault(property => property.Name == Property)?.Value switch
        {
            int id => id,
            long id => (int)id,
            string text when int.TryParse(text, CultureInfo.InvariantCulture, out var id) => id,
            _ => null,
        };

    /// <summary>The process that does the work: the same, but where a shell stands in front of it.</summary>
    public static int? Working(this ResourceEvent change) =>
        change.Resource.TryGetLastAnnotation<ProcessFileAnnotation>(out var file) ? FirstLine(file.Path) : change.Snapshot.Started();

    private static int? FirstLine(string path)
    {
        try
        {
            return int.TryParse(File.ReadLines(path).FirstOrDefault(), CultureInfo.InvariantCulture, out var id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
