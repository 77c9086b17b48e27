using System.Diagnostics;
using System.Globalization;
using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>
/// <c>Data:Directory/run</c>: one file <c>NAME.pid</c> for each running child, with its process id and nothing else.
/// </summary>
internal sealed class RunDirectory(string path, TimeProvider clock)
{
    private const string Extension = ".pid";
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    // The file is written right after the start, so its age tells the child from a stranger that got its number later.
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(3);

    public void Record(string name, int processId)
    {
        _ = Directory.CreateDirectory(path);
        var file = FileOf(name);
        File.WriteAllText(file + ".new", processId.ToString(CultureInfo.InvariantCulture) + "\n");
        File.Move(file + ".new", file, overwrite: true);
    }

    public void Forget(string name) => File.Delete(FileOf(name));

    /// <summary>Waits for children of an AppHost that vanished (their guards end them), and kills those that stay.</summary>
    public async Task EndOrphansAsync(Action<string> report, CancellationToken cancellationToken)
    {
        foreach (var file in Directory.Exists(path) ? Directory.GetFiles(path, "*" + Extension) : [])
        {
            if (Orphan(file) is { } orphan)
            {
                report($"{Path.GetFileNameWithoutExtension(file)} of an earlier run is still there (process {orphan}); waiting for its end");
                await EndAsync(file, orphan, cancellationToken);
            }

            File.Delete(file);
        }
    }

    private async Task EndAsync(string file, int orphan, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (Orphan(file) is not null)
        {
            if (clock.GetElapsedTime(began) > Guard.OrphanGrace + TimeSpan.FromSeconds(1))
            {
                _ = Signals.SendToGroup(orphan, Signal.Kill) || Signals.Send(orphan, Signal.Kill);
            }

            if (clock.GetElapsedTime(began) > 2 * Guard.OrphanGrace)
            {
                throw new RunFailedException($"Process {orphan} of an earlier run does not end; end it by hand.");
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    private static int? Orphan(string file)
    {
        if (!int.TryParse(File.ReadAllText(file).Trim(), CultureInfo.InvariantCulture, out var id))
        {
            return null;
        }

        try
        {
            using var process = Process.GetProcessById(id);
            var distance = File.GetLastWriteTimeUtc(file) - process.StartTime.ToUniversalTime();
            return distance.Duration() < StartTolerance && !process.HasExited ? id : null;
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private string FileOf(string name) => Path.Combine(path, name + Extension);
}
