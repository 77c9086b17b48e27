using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Stores;

/// <summary>Runs commands as another user where this process is root, since PostgreSQL refuses to be root.</summary>
/// <param name="Name">The user, or null if this process is not root.</param>
/// <param name="Prefix">What goes before a command.</param>
internal sealed record UnprivilegedUser(string? Name, IReadOnlyList<string> Prefix)
{
    private static readonly string[] Candidates = ["postgres", "nobody"];

    public Launch Apply(Launch launch) => Prefix.Count == 0
        ? launch
        : launch with { Program = Prefix[0], Arguments = [.. Prefix.Skip(1), launch.Program, .. launch.Arguments] };

    /// <summary>Finds a user that can use <paramref name="directory"/>, and gives it the directory.</summary>
    public static async Task<UnprivilegedUser> ForAsync(string directory, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (!Signals.IsRoot)
        {
            return new(null, []);
        }

        var users = await File.ReadAllLinesAsync("/etc/passwd", cancellationToken);
        var name = Candidates.FirstOrDefault(candidate => users.Any(line => line.StartsWith(candidate + ":", StringComparison.Ordinal)))
            ?? throw new RunFailedException("PostgreSQL does not run as root, and there is no user postgres or nobody.");
        await OwnAsync(name, directory, clock, cancellationToken);

        foreach (var prefix in Prefixes(name))
        {
            var user = new UnprivilegedUser(name, prefix);
            if (await SucceedsAsync(user.Apply(new Launch("/bin/sh", ["-c", "cd \"$0\" && test -w .", directory])), clock, cancellationToken))
            {
                return user;
            }
        }

        throw new RunFailedException(
            $"PostgreSQL does not run as root, and the user {name} cannot reach {directory}; choose another --Data:Directory or install setpriv (util-linux).");
    }

    /// <summary>
    /// Plain first. Where the path leads through folders closed to others (/root), setpriv can leave the user the one
    /// capability to pass them; all that is then open to PostgreSQL was open to this root process anyway.
    /// </summary>
    private static IEnumerable<string[]> Prefixes(string name)
    {
        if (SearchPath.Find("setpriv") is { } setpriv)
        {
            string[] plain = [setpriv, "--reuid", name, "--regid", GroupOf(name), "--clear-groups"];
            yield return [.. plain, "--"];
            yield return [.. plain, "--inh-caps", "-all,+dac_override", "--ambient-caps", "-all,+dac_override", "--"];
        }

        if (SearchPath.Find("runuser") is { } runuser)
        {
            yield return [runuser, "-u", name, "--"];
        }
    }

    private static string GroupOf(string name) =>
        File.ReadLines("/etc/passwd").Select(line => line.Split(':')).First(fields => fields[0] == name)[3];

    private static async Task OwnAsync(string name, string directory, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (!await SucceedsAsync(new Launch("chown", ["-R", $"{name}:{GroupOf(name)}", directory]), clock, cancellationToken))
        {
            throw new RunFailedException($"{directory} cannot be given to the user {name}, as whom PostgreSQL runs.");
        }
    }

    private static async Task<bool> SucceedsAsync(Launch launch, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var child = ChildProcess.Start(launch with { Environment = InheritedEnvironment.Current() }, static _ => { }, clock);
        return await child.Exited.WaitAsync(cancellationToken) == 0;
    }
}
