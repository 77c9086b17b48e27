using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Testing;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>The AppHost as a process of its own: how it starts, ends, and starts again.</summary>
public sealed class AppHostProcessTests : IDisposable
{
    private const int Keys = 100_000;
    private static readonly TimeSpan LeftLimit = TimeSpan.FromSeconds(10);

    // Of these tests one alone needs the dashboard, and none a balancer that has to notice.
    private static readonly string[] Quick = ["--Dashboard:Enabled=false", "--Drain:NoticeSeconds=0"];

    private readonly string _data = Directory.CreateTempSubdirectory("apphost-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task It_says_where_it_is_and_what_it_keeps_outlives_it_beside_a_seed_of_ten_megabytes()
    {
        string first;
        await using (var host = await AppHostProcess.StartAsync(["--Edge:Replicas=2", "--Drain:NoticeSeconds=0"], _data))
        {
            Assert.Equal($"Ready: http://localhost:{host.EdgePort}", host.Output.Lines[^1]);
            Assert.Matches("^Dashboard: http://localhost:[0-9]+/login\\?t=[0-9a-f]+$", host.Output.Lines[^2]);
            Assert.Contains($"  Admin: http://localhost:{host.EdgePort}/admin/v1", host.Output.Lines);
            Assert.Contains($"  Admin token: {_data}/secrets/admin-token", host.Output.Lines);
            Assert.Equal(
                ["accounts", "continuity", "edge-0", "edge-1", "postgres", "redis", "simulator"], host.Processes().Keys.Order(StringComparer.Ordinal));
            using var client = new HttpClient { BaseAddress = host.AddressOf(1) };
            first = await client.AskAsync("Remember the number 42.");
            await host.StopAsync();
            Assert.Equal("", host.Errors.ToString());
            Assert.Empty(host.Processes());
        }

        // Its account's upstream has gone with the simulator; that this is what is told means that the owner is known.
        var seed = await SeedOfTenMegabytesAsync();
        await using var again = await AppHostProcess.StartAsync([.. Quick, $"--Accounts:SeedFile={seed}"], _data);
        Assert.Contains($"  Upstream: far (Accounts:SeedFile {seed})", again.Output.Lines);
        using var other = new HttpClient { BaseAddress = again.AddressOf(0) };
        using var known = await other.PostAsJsonAsync("/v1/responses", new { model = "gpt-5.5", input = "Which number?", previous_response_id = first });
        Assert.Contains("owner=", string.Join(';', known.Headers.GetValues("x-continuity")), StringComparison.Ordinal);

        // Of very many keys the last is known, too.
        other.DefaultRequestHeaders.Authorization = new("Bearer", Key(Keys - 1));
        using var unknown = await other.GetAsync(new Uri("/v1/responses/resp_unknown", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        await again.StopAsync();
    }

    [Fact]
    public async Task Kill_9_leaves_no_process_and_the_next_start_succeeds_at_once()
    {
        await using var first = await AppHostProcess.StartAsync(Quick, _data);
        var processes = first.Processes();
        await using var second = AppHostProcess.Launch(Quick, _data);
        Assert.NotEqual(0, await second.ExitCodeAsync());
        Assert.StartsWith("Another AppHost uses", Assert.Single(second.Errors.Lines), StringComparison.Ordinal);

        await first.KillAsync();
        await using var third = AppHostProcess.Launch([.. Quick, $"--Edge:Port={first.EdgePort}"], _data);
        await Eventually.TrueAsync(() => !processes.Values.Any(ProcessSignals.IsRunning), LeftLimit);
        await third.WaitUntilReadyAsync();
        await third.StopAsync();
    }

    [Fact]
    public async Task An_interrupted_start_leaves_no_process_and_no_stack_trace()
    {
        await using var host = AppHostProcess.Launch(Quick, _data);
        await Eventually.TrueAsync(() => host.Processes().Count > 0, RunningAppHost.Limit);

        await host.StopAsync();

        Assert.Equal("", host.Errors.ToString());
        Assert.DoesNotContain(host.Output.Lines, line => line.Contains("   at ", StringComparison.Ordinal));
    }

    // {"accounts":[{"name":"far",...}],"apiKeys":[{"name":"key number 0 of very many","key":"cp-0..."}, ...]}
    private async Task<string> SeedOfTenMegabytesAsync()
    {
        const string Accounts = """[{"name":"far","baseUrl":"http://127.0.0.1:9/v1","credential":{"kind":"bearer","token":"t"}}]""";
        var path = Path.Combine(_data, "seed.json");
        var keys = Enumerable.Range(0, Keys).Select(number => string.Create(
            CultureInfo.InvariantCulture, $$"""{"name":"key number {{number}} of very many","key":"{{Key(number)}}" }"""));
        await File.WriteAllTextAsync(path, $$"""{"accounts":{{Accounts}},"apiKeys":[{{string.Join(',', keys)}}]}""");
        Assert.InRange(new FileInfo(path).Length, 9_000_000, long.MaxValue);
        return path;
    }

    private static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"cp-{number:D40}");
}
