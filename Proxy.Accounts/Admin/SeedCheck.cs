namespace Proxy.Accounts.Admin;

/// <summary>The mode <c>check-seed FILE</c>: says what is wrong with a seed, a line for each mistake, without a store or a server.</summary>
internal static class SeedCheck
{
    private const string Argument = "check-seed";

    /// <summary>True if the command line asks for the mode.</summary>
    public static bool IsAskedFor(string[] args) => args is [Argument, _];

    /// <summary>Checks the file that the command line names; 0 where the service would start with it, else 1.</summary>
    public static int Run(string[] args)
    {
        string text;
        try
        {
            text = File.ReadAllText(args[1]);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(failure.Message);
            return 1;
        }

        // As the service would be told: without a host there is only the environment.
        var allowsLinkLocal = new ConfigurationBuilder().AddEnvironmentVariables().Build().GetValue<bool>($"{AccountsOptions.Section}:{nameof(AccountsOptions.AllowLinkLocalUpstreams)}");
        if (SeedDocument.TryParse(text, out var errors, allowsLinkLocal) is null && errors.Count == 0)
        {
            errors = ["it is empty."];
        }
        foreach (var error in errors)
        {
            Console.Error.WriteLine(error);
        }
        return errors.Count == 0 ? 0 : 1;
    }
}
