using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Spool;
using Testing;

namespace Proxy.Edge.Tests.Spool;

/// <summary>One caller's rows must not keep everybody else's from the log, whatever that caller puts into them.</summary>
public sealed class PoisonRowTests
{
    [Theory]
    [InlineData(400, true)]
    [InlineData(413, true)]
    [InlineData(400, false)]
    public async Task A_row_that_a_service_refuses_is_quarantined_and_the_others_are_taken(int status, bool isContinuity)
    {
        await using var shipping = await ShippingSpool.StartAsync();
        var rows = Enumerable.Range(0, 40).Select(_ => ShippingSpool.Row("success")).ToList();
        var poison = rows[17];
        if (isContinuity)
        {
            shipping.Continuity.OnIntake = request => Task.FromResult(request.Rows.Any(row => row.Id == poison.Id) ? status : 200);
        }
        else
        {
            shipping.Accounts.OnSettle = request => Task.FromResult(request.Turns.Any(turn => turn.TurnId == poison.Id) ? status : 204);
        }
        rows.ForEach(shipping.Spool.End);

        await shipping.ShipAsync();

        var others = rows.Select(row => row.Id).Where(id => id != poison.Id).Order();
        await Eventually.TrueAsync(() => shipping.Continuity.Rows.Count == (isContinuity ? 39 : 40) && shipping.Accounts.Settled.Count == (isContinuity ? 40 : 39));
        Assert.Equal(others, (isContinuity ? shipping.Continuity.Rows.Select(row => row.Id) : shipping.Accounts.Settled.Select(turn => turn.TurnId)).Order());
        var kept = SpoolRecord.Parse(Encoding.UTF8.GetBytes(Assert.Single(await File.ReadAllLinesAsync(Path.Combine(shipping.Directory, "quarantine.jsonl")))));
        Assert.Equal(poison, kept!.Ended);
        await Eventually.TrueAsync(() => shipping.Files.Count == 1);
    }

    [Fact]
    public async Task A_batch_has_a_size_in_bytes()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        var most = 0;
        shipping.Continuity.OnIntake = request =>
        {
            most = Math.Max(most, JsonSerializer.SerializeToUtf8Bytes(request, ContinuityJson.Default.IntakeRequest).Length);
            return Task.FromResult(200);
        };
        var large = ShippingSpool.Row("success") with { Continuity = new string('"', RowText.MaxText), Model = new string('\u0001', OwnedId.MaxLength) };
        for (var turn = 0; turn < 1000; turn++)
        {
            shipping.Spool.End(large with { Id = Guid.CreateVersion7() });
        }

        await shipping.ShipAsync();

        await shipping.EverythingIsShippedAsync(rows: 1000, settled: 1000);
        Assert.InRange(most, 1, 4 << 20);
    }

    [Fact]
    public void Texts_are_cut_to_their_bounds_and_marked()
    {
        var row = ShippingSpool.Row() with
        {
            SessionId = new string('s', 30_000),
            Model = new string('m', 512),
            ErrorCode = string.Concat(Enumerable.Repeat("\U0001F600", 300)),
            Continuity = new string('c', 30_000),
            RequestId = new string('r', 513),
        };

        var capped = row.Capped();

        Assert.Equal((512, 512, 2048, (string?)null), (capped.SessionId!.Length, capped.Model!.Length, capped.Continuity!.Length, capped.RequestId));
        Assert.EndsWith("ss[cut]", capped.SessionId, StringComparison.Ordinal);
        Assert.Equal(row.Model, capped.Model);
        Assert.EndsWith("\U0001F600[cut]", capped.ErrorCode, StringComparison.Ordinal);
        Assert.InRange(JsonSerializer.SerializeToUtf8Bytes(capped, ContinuityJson.Default.RequestLogRow).Length, 1, capped.MostJsonBytes());
        Assert.Equal(ShippingSpool.Row() with { Id = row.Id, RequestedAt = row.RequestedAt }, (ShippingSpool.Row() with { Id = row.Id, RequestedAt = row.RequestedAt }).Capped());
    }

    [Fact]
    public async Task An_edge_whose_spool_is_full_should_get_no_turns()
    {
        var directory = Directory.CreateTempSubdirectory("edge-spool-").FullName;
        using var spool = ShippingSpool.Open(directory, maxBytes: 2000);
        var health = new SpoolHealth(spool);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(new HealthCheckContext())).Status);
        while (!spool.IsFull)
        {
            spool.End(ShippingSpool.Row());
        }

        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(new HealthCheckContext())).Status);
        spool.Dispose();
        Directory.Delete(directory, recursive: true);
    }
}
