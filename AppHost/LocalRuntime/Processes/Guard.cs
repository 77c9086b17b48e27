using System.Globalization;

namespace AppHost.LocalRuntime.Processes;

/// <summary>
/// Wraps a command so that it runs in its own session and does not outlive the AppHost.
/// </summary>
/// <remarks>
/// Its own session: Ctrl-C in the terminal then reaches only the AppHost, which stops its children in order.
/// The end of the AppHost, even by kill -9, is noticed through a pipe: the kernel closes the write end, which only the
/// AppHost holds. A shell reads the other end in the background and the command replaces the shell in the foreground, so
/// that the process the AppHost started is the real one, with its own exit code. PR_SET_PDEATHSIG would do without the
/// shell, but it fires when the <i>thread</i> that started the child ends, is lost when a child changes its user, and
/// exists on Linux only. The watching shell stays in the command's process group, so the group's number cannot be given
/// to a stranger before the last signal has been sent.
/// </remarks>
internal static class Guard
{
    // $1 signal to ask with, $2 how many times 0.2 s it may take, $3... the command.
    // The watcher ignores the signals that a stop sends to the group.
    private const string Script = """
        exec 3<&0 </dev/null
        (
          exec >/dev/null 2>&1
          trap '' TERM INT HUP QUIT
          read -r _ <&3
          kill -"$1" $$
          n=0
          while kill -0 $$ && [ "$n" -lt "$2" ]; do sleep 0.2; n=$((n + 1)); done
          kill -KILL -$$
        ) &
        shift 2
        exec 3<&-
        exec "$@"
        """;

    private const int OrphanGraceSteps = 25;

    /// <summary>The time a child has after the AppHost vanished.</summary>
    public static readonly TimeSpan OrphanGrace = TimeSpan.FromSeconds(0.2 * OrphanGraceSteps);

    /// <summary>The program and the arguments that run <paramref name="launch"/> under guard.</summary>
    public static IReadOnlyList<string> Wrap(Launch launch, SessionStarter session) =>
    [
        .. session.Command,
        "/bin/sh", "-c", Script, "guard",
        ((int)launch.StopSignal).ToString(CultureInfo.InvariantCulture),
        OrphanGraceSteps.ToString(CultureInfo.InvariantCulture),
        .. Unspeakable(launch.Environment),
        launch.Program,
        .. launch.Arguments,
    ];

    /// <summary>Some shells drop variables whose names they could not write (Logging__LogLevel__Microsoft.AspNetCore).</summary>
    private static string[] Unspeakable(IReadOnlyDictionary<string, string> environment)
    {
        var variables = environment.Where(variable => !variable.Key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            .Select(variable => $"{variable.Key}={variable.Value}").ToArray();
        return variables.Length == 0 ? [] : ["/usr/bin/env", .. variables];
    }
}
