using Microsoft.Playwright;
using Testing;

namespace AppHost.Tests;

/// <summary>The dashboard as an operator sees it, in a real browser. With <c>SCREENSHOTS=folder</c> its pages are kept as pictures.</summary>
[Collection(RunningAppHostCollection.Name)]
public sealed class DashboardBrowserTests(RunningAppHost host)
{
    private const string Browser = "chromium";
    private const float LimitMs = 60_000;

    [NeedsProgramFact(Browser)]
    public async Task The_dashboard_shows_every_resource_running_and_the_trace_of_a_turn()
    {
        using var client = host.Client(key: await host.MakeKeyAsync("browser"));
        var first = await client.AskAsync("Remember the number 42.");
        _ = await client.AskAsync("Which number?", first);

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = SearchPath.Find(Browser), Args = ["--no-sandbox"] });
        var page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1600, Height = 1000 } });
        page.SetDefaultTimeout(LimitMs);
        await page.GotoAsync(new Uri(host.Dashboard, $"/login?t={host.BrowserToken}").ToString());

        foreach (var resource in new[] { "edge-0", "edge-1", "accounts", "continuity", "postgres", "continuitydb", "accountsdb", "redis", "simulator" })
        {
            var row = page.Locator("tr, [role=row]").Filter(new() { Has = page.GetByText(resource, new() { Exact = true }) }).Filter(new() { HasText = "Running" });
            await Assertions.Expect(row.First).ToBeVisibleAsync(new() { Timeout = LimitMs });
        }
        Assert.Equal(0, await page.GetByText("accounts-migrations", new() { Exact = true }).CountAsync());
        await PictureAsync(page, "resources");

        // The newest trace is the follow-up's; its turn tells which turn it follows.
        await page.GotoAsync(new Uri(host.Dashboard, "/traces/resource/edge-0").ToString());
        await page.GetByText("POST /v1/responses").Last.ClickAsync();
        await page.GetByText("chat gpt-5.5").First.ClickAsync();
        await Assertions.Expect(page.GetByText("Links").First).ToBeVisibleAsync(new() { Timeout = LimitMs });
        await PictureAsync(page, "trace");
    }

    private static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{name}.png") });
        }
    }
}
