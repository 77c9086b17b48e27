using System.Diagnostics;
using System.Globalization;
using AppHost.Configuration;
using AppHost.Processes;

namespace AppHost.Preparation;

/// <summary><c>Data:Directory/run</c>: one file <c>NAME.pid</c> for each running process, with its id and nothing else.</summary>
internal sealed class RunFiles(AppHostSettings settings)
{
    private const string Extension = ".pid";

    // The orchestrator notices within two seconds that the AppHost is gone, and gives what it runs six to end.
    private static readonly TimeSpan EndedByItself = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndedByForce = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    // The file is written soon after the start, so its age tells the process from a stranger that got its number later.
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(5);

    private readonly string _folder = Path.Combine(settings.DataDirectory, "run");

    public void Write(string name, int processId)
    {
        _ = Directory.CreateDirectory(_folder);
        var file = FileOf(name);
        File.WriteAllText(file + ".new", processId.ToString(CultureInfo.InvariantCulture) + "\n");
        File.Move(file + ".new", file, overwrite: true);
    }

    public void Remove(string name)
    {
        if (Directory.Exists(_folder))
        {
            File.Delete(FileOf(name));
        }
    }

    /// <summary>Waits for the processes of an AppHost that was killed (its orchestrator ends them), and kills those that stay.</summary>
    /// <exception cref="StartRefusedException">One does not end.</exception>
    public async Task WaitForFormerProcessesAsync(CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        foreach (var file in Directory.Exists(_folder) ? Directory.GetFiles(_folder, "*" + Extension) : [])
        {
            while (FormerProcess(file) is { } former)
            {
                var waited = TimeProvider.System.GetElapsedTime(began);
                if (waited > EndedByItself + EndedByForce)
                {
                    throw new StartRefusedException($"Process {former} of an earlier run does not end; end it by hand.");
                }
                if (waited > EndedByItself)
                {
                    _ = Signals.Kill(former);
                }
                await Task.Delay(Poll, TimeProvider.System, cancellationToken);
            }
            File.Delete(file);
        }
    }

    private static int? FormerProcess(string file)
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

    private string FileOf(string name) => Path.Combine(_folder, name + Extension);
}
