namespace AppHost.LocalRuntime.Processes;

/// <summary>The command that puts what follows it into a session of its own.</summary>
internal sealed record SessionStarter(IReadOnlyList<string> Command)
{
    /// <summary>setsid of util-linux or busybox; macOS has none, but it has perl.</summary>
    public static SessionStarter Find() =>
        SearchPath.Find("setsid") is { } setsid ? new([setsid])
        : SearchPath.Find("perl") is { } perl ? new([perl, "-MPOSIX", "-e", "POSIX::setsid(); exec @ARGV or die $!"])
        : throw new RunFailedException("Neither setsid nor perl is on PATH; the local runtime needs one of them to start processes.");
}
