using System.Globalization;
using System.Net.Http.Json;
using Testing;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>The AppHost as a process of its own: how it starts, ends, and starts again.</summary>
public sealed class AppHostProcessTests : IDisposable
{
    private static readonly TimeSpan LeftLimit = TimeSpan.FromSeconds(10);

    // Of these tests one alone needs the dashboard, and none a balancer that has to notice.
    private static readonly string[] Quick = ["--Dashboard:Enabled=false", "--Drain:NoticeSeconds=0"];

    private readonly string _data = Directory.CreateTempSubdirectory("apphost-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task It_says_where_it_is_and_a_conversation_outlives_it()
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

        // The simulator has forgotten it, and says so; that it is asked at all means that the owner is known.
        await using var again = await AppHostProcess.StartAsync(Quick, _data);
        using var other = new HttpClient { BaseAddress = again.AddressOf(0) };
        using var known = await other.PostAsJsonAsync("/v1/responses", new { model = "gpt-5.5", input = "Which number?", previous_response_id = first });
        Assert.Contains("owner=", string.Join(';', known.Headers.GetValues("x-continuity")), StringComparison.Ordinal);
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

    [Fact]
    public async Task A_seed_of_ten_megabytes_starts()
    {
        var seed = Path.Combine(_data, "seed.json");
        var keys = Enumerable.Range(0, 100_000).Select(number => string.Create(
            CultureInfo.InvariantCulture, $$"""{"name":"key number {{number}} of very many","key":"cp-{{number:D40}}" }"""));
        const string Accounts = """[{"name":"far","baseUrl":"http://127.0.0.1:9/v1","credential":{"kind":"bearer","token":"t"}}]""";
        await File.WriteAllTextAsync(seed, $$"""{"accounts":{{Accounts}},"apiKeys":[{{string.Join(',', keys)}}]}""");
        Assert.InRange(new FileInfo(seed).Length, 9_000_000, long.MaxValue);

        await using var host = await AppHostProcess.StartAsync([.. Quick, $"--Accounts:SeedFile={seed}", "--Edge:Authentication=required"], _data);

        Assert.Contains($"  Upstream: far (Accounts:SeedFile {seed})", host.Output.Lines);
        using var client = new HttpClient { BaseAddress = host.AddressOf(0), DefaultRequestHeaders = { { "Authorization", $"Bearer cp-{99_999:D40}" } } };
        using var known = await client.GetAsync(new Uri("/v1/responses/resp_unknown", UriKind.Relative));
        Assert.Equal(System.Net.HttpStatusCode.NotFound, known.StatusCode);
        await host.StopAsync();
    }
}
