namespace AppHost.Configuration;

/// <summary>Files and folders that only their owner can read.</summary>
internal static class PrivateFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes the folder, or closes the one that is there.</summary>
    /// <param name="isPassed">Others may pass through it to what is theirs below, though not see what is in it.</param>
    public static void CreateFolder(string path, bool isPassed = false)
    {
        if (OperatingSystem.IsWindows())
        {
            _ = Directory.CreateDirectory(path);
            return;
        }

        var mode = OwnerOnly | UnixFileMode.UserExecute | (isPassed ? UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : UnixFileMode.None);
        if (!Directory.Exists(path))
        {
            _ = Directory.CreateDirectory(path, mode);
        }
        else if (isPassed || (File.GetUnixFileMode(path) & ~mode) != UnixFileMode.None)
        {
            TryClose(path, mode);
        }
    }

    // A folder that was there before may be another user's, who has given access to it on purpose.
    private static void TryClose(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        try
        {
            File.SetUnixFileMode(path, mode);
        }
        catch (UnauthorizedAccessException)
        {
            // Its owner's to say.
        }
    }

    /// <summary>Writes a new file, in place of any that was there with other permissions.</summary>
    public static void Write(string path, string content)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        File.Delete(path);
        using var writer = new StreamWriter(path, options);
        writer.Write(content);
    }
}
