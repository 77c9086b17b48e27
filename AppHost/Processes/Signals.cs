using System.Runtime.InteropServices;

namespace AppHost.Processes;

/// <summary>POSIX signals; the numbers used here are the same on Linux and macOS.</summary>
internal static partial class Signals
{
    private const int KillNumber = 9;
    private const int TerminateNumber = 15;

    public static bool IsRoot => !OperatingSystem.IsWindows() && GetEffectiveUser() == 0;

    /// <summary>Asks a process to end. False if there is none, or no such signal on this system.</summary>
    public static bool Terminate(int processId) => Send(processId, TerminateNumber);

    /// <summary>Ends a process at once.</summary>
    public static bool Kill(int processId) => Send(processId, KillNumber);

    public static int ParentProcess() => GetParentProcess();

    private static bool Send(int processId, int signal) => !OperatingSystem.IsWindows() && processId > 1 && SendSignal(processId, signal) == 0;

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int processId, int signal);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParentProcess();

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();
}
