using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;

namespace AppHost.Topology;

/// <summary>The upstream accounts the system starts with: a seed document, or none, which means the simulator.</summary>
/// <param name="Document">The JSON text, or null for the simulator.</param>
/// <param name="Upstream">What to tell the user about it.</param>
internal sealed record AccountSeed(string? Document, string Upstream)
{
    public static readonly AccountSeed None = new(null, "the simulator (no Accounts:SeedFile, Accounts:Seed or OPENAI_API_KEY given)");

    /// <summary>Reads <c>Accounts:SeedFile</c>, else <c>Accounts:Seed</c>, else <c>OPENAI_API_KEY</c>.</summary>
    public static AccountSeed Read(IConfiguration configuration, ICollection<string> errors)
    {
        var file = configuration["Accounts:SeedFile"];
        var text = configuration["Accounts:Seed"];
        if (!string.IsNullOrEmpty(file) && !string.IsNullOrEmpty(text))
        {
            errors.Add("Accounts:SeedFile and Accounts:Seed are both given; give one.");
            return None;
        }

        if (!string.IsNullOrEmpty(file))
        {
            return FromFile(file, errors);
        }

        if (!string.IsNullOrEmpty(text))
        {
            return FromText(text, "Accounts:Seed", errors);
        }

        var key = configuration["OPENAI_API_KEY"];
        return string.IsNullOrWhiteSpace(key) ? None : new(
            OneAccount("openai", "https://api.openai.com/v1", key.Trim(), lanes: false),
            "https://api.openai.com/v1 (account 'openai', from OPENAI_API_KEY)");
    }

    /// <summary>A seed with the simulator as its only account.</summary>
    public static string ForSimulator(string url) => OneAccount("simulator", $"{url.TrimEnd('/')}/v1", "simulator", lanes: true);

    private static AccountSeed FromFile(string file, ICollection<string> errors)
    {
        try
        {
            return FromText(File.ReadAllText(file), $"Accounts:SeedFile {file}", errors);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            errors.Add($"Accounts:SeedFile cannot be read: {failure.Message}");
            return None;
        }
    }

    private static AccountSeed FromText(string text, string source, ICollection<string> errors)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return new(text, Summary(document.RootElement, source));
            }

            errors.Add($"{source} is not a JSON object.");
        }
        catch (JsonException)
        {
            // The message of the exception can quote the text, and the text holds credentials.
            errors.Add($"{source} is not valid JSON.");
        }

        return None;
    }

    private static string Summary(JsonElement seed, string source)
    {
        var names = seed.TryGetProperty("accounts", out var accounts) && accounts.ValueKind == JsonValueKind.Array
            ? accounts.EnumerateArray().Select(Name).ToList()
            : [];
        return names.Count == 0 ? $"no accounts ({source})" : $"{string.Join(", ", names)} ({source})";
    }

    private static string Name(JsonElement account) =>
        account.ValueKind == JsonValueKind.Object && account.TryGetProperty("name", out var name) ? name.ToString() : "?";

    private static string OneAccount(string name, string baseUrl, string token, bool lanes)
    {
        var account = new JsonObject
        {
            ["name"] = name,
            ["baseUrl"] = baseUrl,
            ["credential"] = new JsonObject { ["kind"] = "bearer", ["token"] = token },
            ["webSockets"] = true,
        };
        if (lanes)
        {
            account["lanes"] = true;
        }

        return new JsonObject { ["accounts"] = new JsonArray(account) }.ToJsonString();
    }
}
