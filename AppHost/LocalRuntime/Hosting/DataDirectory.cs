using System.Globalization;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>The directory with everything the system keeps, held by one AppHost at a time.</summary>
internal sealed class DataDirectory : IDisposable
{
    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    /// <summary>Takes the directory. The kernel gives it back however this process ends.</summary>
    public static DataDirectory Take(string path)
    {
        try
        {
            _ = Directory.CreateDirectory(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"Data:Directory cannot be created: {failure.Message}");
        }

        try
        {
            var file = new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            file.SetLength(0);
            file.Write(System.Text.Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n"));
            file.Flush();
            return new DataDirectory(path, file);
        }
        catch (UnauthorizedAccessException failure)
        {
            throw new RunFailedException($"Data:Directory cannot be used: {failure.Message}");
        }
        catch (IOException)
        {
            throw new RunFailedException($"Another AppHost uses {path}; stop it, or give this one its own with --Data:Directory=<path>.");
        }
    }

    public void Dispose() => _lock.Dispose();
}
