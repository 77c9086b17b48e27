using System.Globalization;
using System.Text;
using AppHost.Configuration;
using AppHost.Processes;

namespace AppHost.Preparation;

/// <summary>The directory with everything the system keeps, held by one AppHost at a time.</summary>
internal sealed class DataDirectory : IDisposable
{
    private readonly FileStream _lock;

    private DataDirectory(FileStream held) => _lock = held;

    /// <summary>Takes the directory. The kernel gives it back however this process ends.</summary>
    /// <exception cref="StartRefusedException">Another has it, or it cannot be used.</exception>
    public static DataDirectory Take(AppHostSettings settings)
    {
        var path = settings.DataDirectory;
        try
        {
            PrivateFile.CreateFolder(path, Signals.IsRoot);
            PrivateFile.CreateFolder(settings.SecretsDirectory);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"Data:Directory cannot be used: {failure.Message}");
        }

        try
        {
            var file = new FileStream(Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            file.SetLength(0);
            file.Write(Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n"));
            file.Flush();
            return new DataDirectory(file);
        }
        catch (UnauthorizedAccessException failure)
        {
            throw new StartRefusedException($"Data:Directory cannot be used: {failure.Message}");
        }
        catch (IOException)
        {
            throw new StartRefusedException($"Another AppHost uses {path}; stop it, or give this one its own with --Data:Directory=<path>.");
        }
    }

    public void Dispose() => _lock.Dispose();
}
