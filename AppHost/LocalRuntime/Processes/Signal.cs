using System.Runtime.InteropServices;

namespace AppHost.LocalRuntime.Processes;

/// <summary>A POSIX signal; these numbers are the same on Linux and macOS.</summary>
internal enum Signal
{
    None = 0,
    Interrupt = 2,
    Kill = 9,
    Terminate = 15,
}

/// <summary>Sends signals.</summary>
internal static partial class Signals
{
    /// <summary>Whether the process was there to take the signal.</summary>
    public static bool Send(int processId, Signal signal) => processId > 1 && Kill(processId, (int)signal) == 0;

    /// <summary>Signals every process of the group that <paramref name="leader"/> leads.</summary>
    public static bool SendToGroup(int leader, Signal signal) => leader > 1 && Kill(-leader, (int)signal) == 0;

    public static int ParentProcess() => GetParentProcess();

    public static bool IsRoot => !OperatingSystem.IsWindows() && GetEffectiveUser() == 0;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParentProcess();

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();
}
