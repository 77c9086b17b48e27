using System.Runtime.InteropServices;

namespace Testing.Processes;

/// <summary>Sends POSIX signals to processes the tests have started.</summary>
public static class ProcessSignals
{
    private const int KillNumber = 9;
    private const int TerminateNumber = 15;
    private const int StopNumber = 19;
    private const int ContinueNumber = 18;

    public static void Kill(int processId) => Send(processId, KillNumber);

    public static void Terminate(int processId) => Send(processId, TerminateNumber);

    /// <summary>Freezes a process (Linux numbering).</summary>
    public static void Freeze(int processId) => Send(processId, StopNumber);

    /// <summary>Lets a frozen process go on (Linux numbering).</summary>
    public static void Thaw(int processId) => Send(processId, ContinueNumber);

    /// <summary>Whether there is such a process that has not ended yet; one that only waits to be reaped has.</summary>
    public static bool IsRunning(int processId)
    {
        if (SendSignal(processId, 0) != 0)
        {
            return false;
        }

        var state = $"/proc/{processId}/stat";
        try
        {
            // "pid (name) S ...": the name may hold anything, so the state is found from its closing parenthesis.
            var text = File.ReadAllText(state);
            return text[text.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return !OperatingSystem.IsLinux();
        }
    }

    internal static void Send(int processId, EndSignal signal) => Send(processId, (int)signal);

    /// <summary>Kills every process of the group that <paramref name="leader"/> leads.</summary>
    internal static void KillGroup(int leader)
    {
        if (leader > 1)
        {
            _ = SendSignal(-leader, KillNumber);
        }
    }

    private static void Send(int processId, int signal)
    {
        if (processId <= 1)
        {
            throw new ArgumentOutOfRangeException(nameof(processId), processId, "Not a child's process id.");
        }

        _ = SendSignal(processId, signal);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int SendSignal(int processId, int signal);
}
