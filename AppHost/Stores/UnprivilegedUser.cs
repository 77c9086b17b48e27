using AppHost.Processes;

namespace AppHost.Stores;

/// <summary>Runs commands as another user where this process is root, since PostgreSQL refuses to be root.</summary>
/// <param name="Prefix">What goes before a command; empty if this process is not root.</param>
internal sealed record UnprivilegedUser(IReadOnlyList<string> Prefix)
{
    private static readonly string[] Candidates = ["postgres", "nobody"];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Finds a user that can use <paramref name="directory"/>, and gives it the directory.</summary>
    /// <exception cref="StartRefusedException">There is none.</exception>
    public static async Task<UnprivilegedUser> ForAsync(string directory, CancellationToken cancellationToken)
    {
        if (!Signals.IsRoot)
        {
            return new([]);
        }

        var users = await File.ReadAllLinesAsync("/etc/passwd", cancellationToken);
        var user = Candidates.Select(name => users.FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal))).FirstOrDefault(line => line is not null)?.Split(':')
            ?? throw new StartRefusedException("PostgreSQL does not run as root, and there is no user postgres or nobody.");
        var (name, group) = (user[0], user[3]);
        if (!await SucceedsAsync(["chown", "-R", $"{name}:{group}", directory], cancellationToken))
        {
            throw new StartRefusedException($"{directory} cannot be given to the user {name}, as whom PostgreSQL runs.");
        }

        foreach (var prefix in Prefixes(name, group))
        {
            if (await SucceedsAsync([.. prefix, "/bin/sh", "-c", "cd \"$0\" && test -w .", directory], cancellationToken))
            {
                return new(prefix);
            }
        }

        throw new StartRefusedException(
            $"PostgreSQL does not run as root, and the user {name} cannot reach {directory}; choose another --Data:Directory or install setpriv (util-linux).");
    }

    /// <summary>
    /// Plain first. Where the path leads through folders closed to others (/root), setpriv can leave the user the one
    /// capability to pass them; all that is then open to PostgreSQL was open to this root process anyway.
    /// </summary>
    private static IEnumerable<string[]> Prefixes(string name, string group)
    {
        if (SearchPath.Find("setpriv") is { } setpriv)
        {
            string[] plain = [setpriv, "--reuid", name, "--regid", group, "--clear-groups"];
            yield return [.. plain, "--"];
            yield return [.. plain, "--inh-caps", "-all,+dac_override", "--ambient-caps", "-all,+dac_override", "--"];
        }

        if (SearchPath.Find("runuser") is { } runuser)
        {
            yield return [runuser, "-u", name, "--"];
        }
    }

    private static async Task<bool> SucceedsAsync(IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        (await ProgramRun.OfAsync(command, Limit, cancellationToken: cancellationToken)).Succeeded;
}
