namespace Testing.Stores;

/// <summary>Where the stores of tests keep their files: in memory where there is room, since hundreds of databases come and go, and a disk that stalls is no test's subject.</summary>
internal static class StoreDirectory
{
    private const string InMemory = "/dev/shm";
    private const long Enough = 2L << 30;

    /// <summary>A new directory's full name.</summary>
    public static string Create(string prefix)
    {
        if (!Directory.Exists(InMemory) || new DriveInfo(InMemory).AvailableFreeSpace < Enough)
        {
            return Directory.CreateTempSubdirectory(prefix).FullName;
        }
        var path = Path.Combine(InMemory, prefix + Guid.CreateVersion7().ToString("N"));
        return (OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(path)
            : Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)).FullName;
    }
}
