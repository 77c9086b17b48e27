using System.Text.Json;
using System.Text.Json.Nodes;
using AppHost.Topology;
using Microsoft.Extensions.Diagnostics.HealthChecks;

#pragma warning disable ASPIREINTERACTION001 // Commands with arguments are experimental in 13.6.

namespace AppHost.Commands;

/// <summary>What an operator does with accounts and keys, without looking for the admin token.</summary>
internal static class AccountsCommands
{
    public const string MakeApiKey = "make-api-key";
    public const string ClearCoolDown = "clear-cool-down";
    public const string NameArgument = "name";
    public const string AccountArgument = "account";

    private const int LongestName = 100;

    public static IResourceBuilder<ProjectResource> WithApiKeyCommand(this IResourceBuilder<ProjectResource> accounts, Secrets secrets) => accounts.WithCommand(
        MakeApiKey, "Make API key",
        context => CallAsync(accounts, secrets, context, async (api, name) =>
        {
            var made = await api.SendAsync(HttpMethod.Post, "api-keys", new JsonObject { ["name"] = name }, context.CancellationToken);
            return CommandResults.Success($"API key '{name}': copy it now, it is shown only once.",
                new CommandResultData { Value = (string)made!["key"]!, Format = CommandResultFormat.Text, DisplayImmediately = true });
        }, NameArgument),
        Options("Makes a key for a client; it is shown only once.", "Make an API key?", "Key", NameArgument, "Name of the key"));

    public static IResourceBuilder<ProjectResource> WithClearCoolDownCommand(this IResourceBuilder<ProjectResource> accounts, Secrets secrets) => accounts.WithCommand(
        ClearCoolDown, "Clear cool-down",
        context => CallAsync(accounts, secrets, context, async (api, name) =>
        {
            var all = (await api.SendAsync(HttpMethod.Get, "accounts", null, context.CancellationToken))!["data"]!.AsArray();
            if (all.FirstOrDefault(account => (string?)account!["name"] == name) is not { } found)
            {
                return CommandResults.Failure($"There is no account '{name}'. There are: {string.Join(", ", all.Select(account => (string?)account!["name"]))}.");
            }

            _ = await api.SendAsync(HttpMethod.Patch, $"accounts/{(string)found["id"]!}", new JsonObject { ["cooling"] = false }, context.CancellationToken);
            return CommandResults.Success((string?)found["state"] == "cooling" ? $"Account '{name}' takes turns again." : $"Account '{name}' was not cooling.");
        }, AccountArgument),
        Options("Lets an account take turns before its cool-down is over.", "Clear the cool-down? Upstream may refuse its turns again.", "WeatherSunny", AccountArgument, "Account"));

    private static CommandOptions Options(string description, string confirmation, string icon, string argument, string label) => new()
    {
        Description = description,
        ConfirmationMessage = confirmation,
        IconName = icon,
        Arguments = [new InteractionInput { Name = argument, Label = label, InputType = InputType.Text, Required = true, MaxLength = LongestName }],
        UpdateState = command => command.ResourceSnapshot.HealthStatus == HealthStatus.Healthy ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
    };

    private static async Task<ExecuteCommandResult> CallAsync(
        IResourceBuilder<ProjectResource> accounts, Secrets secrets, ExecuteCommandContext context,
        Func<AdminApi, string, Task<ExecuteCommandResult>> call, string argument)
    {
        try
        {
            using var api = await AdminApi.OpenAsync(accounts, secrets, context.CancellationToken);
            return await call(api, context.Arguments.GetString(argument)!.Trim());
        }
        catch (Exception failure) when (failure is AdminApiException or HttpRequestException or JsonException)
        {
            return CommandResults.Failure(failure.Message);
        }
    }
}
