using AppHost.Configuration;
using AppHost.Processes;

namespace AppHost.Preparation;

/// <summary>The seed as the accounts service gets it: a file, whose path travels, and not its credentials.</summary>
internal static class SeedFile
{
    private static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(30);

    /// <summary>The file of a seed that was given; a text goes into a private file of the data directory first.</summary>
    public static string PathOf(AccountSeed seed, AppHostSettings settings)
    {
        if (seed.File is { } given)
        {
            return given;
        }

        var path = Path.Combine(settings.SecretsDirectory, "accounts-seed.json");
        PrivateFile.Write(path, seed.Text!);
        return path;
    }

    /// <summary>Lets the accounts service itself check the file, before anything is started; what is wrong is told in lines, all of it.</summary>
    public static async Task<IReadOnlyList<string>> FindErrorsAsync(string path, string source, CancellationToken cancellationToken)
    {
        if (BuiltPrograms.Of(ProjectFiles.Accounts) is not { } accounts)
        {
            // Not beside the AppHost (under an IDE, for example): the service tells it when it starts.
            return [];
        }

        var check = await ProgramRun.OfAsync([BuiltPrograms.DotnetHost, accounts, "check-seed", path], CheckLimit, cancellationToken: cancellationToken);
        return check.Succeeded ? [] : [.. check.Errors.DefaultIfEmpty($"the check of the seed failed: {check.LastLine}").Select(error => $"{source}: {error}")];
    }
}
