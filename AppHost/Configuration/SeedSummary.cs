using System.Globalization;
using System.Text.Json;

namespace AppHost.Configuration;

/// <summary>What the AppHost shows of a seed: the accounts' names and the servers behind them, never a credential.</summary>
/// <param name="Names">The accounts, in their order.</param>
/// <param name="Servers">Scheme, host and port of each base URL, once each.</param>
internal sealed record SeedSummary(IReadOnlyList<string> Names, IReadOnlyList<Uri> Servers)
{
    private const int MostNames = 8;

    public static readonly SeedSummary Empty = new([], []);

    /// <summary>Reads a seed that has been checked; what it does not understand, it leaves out.</summary>
    public static SeedSummary Of(Stream seed)
    {
        using var document = JsonDocument.Parse(seed);
        var accounts = document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("accounts", out var list) && list.ValueKind == JsonValueKind.Array
                ? list.EnumerateArray().Where(account => account.ValueKind == JsonValueKind.Object).ToList()
                : [];
        return new(
            [.. accounts.Select(account => Text(account, "name")).OfType<string>()],
            [.. accounts.Select(account => ServerOf(Text(account, "baseUrl"))).OfType<Uri>().Distinct()]);
    }

    /// <summary><c>a, b, c</c>; of very many the first and how many more.</summary>
    public override string ToString() => Names.Count switch
    {
        0 => "no accounts",
        <= MostNames => string.Join(", ", Names),
        _ => string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", Names.Take(MostNames))} and {Names.Count - MostNames} more"),
    };

    private static string? Text(JsonElement account, string name) =>
        account.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static Uri? ServerOf(string? baseUrl) =>
        Uri.TryCreate(baseUrl, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? new Uri(uri.GetLeftPart(UriPartial.Authority)) : null;
}
