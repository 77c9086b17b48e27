using System.Globalization;

namespace Testing.Processes;

/// <summary>Wraps a command so that it runs in a session of its own and cannot outlive the test process.</summary>
/// <remarks>
/// A session of its own: Ctrl-C in the terminal then reaches only the test process. That process' end, even by kill -9, is noticed through a
/// pipe: the kernel closes the write end, which only the test process holds. A shell reads the other end in the background and the command
/// replaces the shell in the foreground, so that the process that was started is the real one, with its own number and exit code.
/// PR_SET_PDEATHSIG would do without the shell, but it fires when the <i>thread</i> that started the child ends, is lost when a child changes
/// its user, and exists on Linux only. The watching shell stays in the command's process group, so that the group's number cannot be given to
/// a stranger before the last signal has been sent.
/// </remarks>
internal static class Guard
{
    // $1 what ends it, $2 how many times 0.1 s that may take, $3 the directory to remove, $4... the command.
    // One that has ended is a zombie for as long as nobody reaps it. A line says that the command has ended: what it has left in its group ends, too. The end of the file says that the test process is gone.
    private const string Script = """
        exec 3<&0 </dev/null
        (
          exec >/dev/null 2>&1
          trap '' TERM INT HUP QUIT
          if ! read -r _ <&3; then
            kill -"$1" $$
            n=0
            while ps -o stat= -p $$ | grep -q '^[^Z]' && [ "$n" -lt "$2" ]; do sleep 0.1; n=$((n + 1)); done
            kill -KILL $$
            rm -rf -- "$3"
          fi
          kill -KILL -$$
        ) &
        shift 3
        exec 3<&-
        exec "$@"
        """;

    private const int EndSteps = 50;

    /// <summary>The program and the arguments that run a command under guard. The guard's pipe is its standard input.</summary>
    public static IReadOnlyList<string> Wrap(Launch launch) =>
    [
        .. SessionStarter(),
        "/bin/sh", "-c", Script, "guard",
        ((int)launch.EndSignal).ToString(CultureInfo.InvariantCulture),
        EndSteps.ToString(CultureInfo.InvariantCulture),
        launch.Directory,
        .. Unspeakable(launch.Environment),
        launch.Program,
        .. launch.Arguments,
    ];

    // setsid of util-linux or busybox; macOS has none, but it has perl.
    private static string[] SessionStarter() =>
        SearchPath.Find("setsid") is { } setsid ? [setsid]
        : SearchPath.Find("perl") is { } perl ? [perl, "-MPOSIX", "-e", "POSIX::setsid(); exec @ARGV or die $!"]
        : throw new InvalidOperationException("These tests need setsid or perl on PATH.");

    // Some shells drop variables whose names they could not write (Logging__LogLevel__Microsoft.AspNetCore).
    private static string[] Unspeakable(IReadOnlyDictionary<string, string> environment)
    {
        var variables = environment.Where(variable => !variable.Key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            .Select(variable => $"{variable.Key}={variable.Value}").ToArray();
        return variables.Length == 0 ? [] : ["/usr/bin/env", .. variables];
    }
}
