using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;

namespace AppHost.Configuration;

/// <summary>The upstream accounts that the system starts with, as they were given: a file, a text, or none, which means the simulator.</summary>
/// <param name="File">An absolute path, or null.</param>
/// <param name="Text">The JSON text, or null.</param>
/// <param name="Source">What the user knows it by.</param>
internal sealed record AccountSeed(string? File, string? Text, string Source)
{
    public static readonly AccountSeed None = new(null, null, "no Accounts:SeedFile, Accounts:Seed or OPENAI_API_KEY given");

    public bool IsGiven => File is not null || Text is not null;

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
            return new(Path.GetFullPath(file), null, $"Accounts:SeedFile {file}");
        }

        if (!string.IsNullOrEmpty(text))
        {
            return new(null, text, "Accounts:Seed");
        }

        var key = configuration["OPENAI_API_KEY"];
        return string.IsNullOrWhiteSpace(key)
            ? None
            : new(null, OneAccount("openai", "https://api.openai.com/v1", key.Trim(), lanes: false), "OPENAI_API_KEY");
    }

    /// <summary>A seed with the simulator as its only account.</summary>
    public static string ForSimulator(string url) => OneAccount("simulator", $"{url.TrimEnd('/')}/v1", "simulator", lanes: true);

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
