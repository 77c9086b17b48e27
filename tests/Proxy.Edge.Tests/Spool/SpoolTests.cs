using System.Text;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Spool;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Spool;

public sealed class SpoolTests
{
    [Fact]
    public async Task A_turn_is_logged_and_settled_once_when_it_has_ended()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        await shipping.ShipAsync();
        var row = ShippingSpool.Row();
        shipping.Spool.Begin(row);
        shipping.Spool.End(row with { Status = TurnStatus.Success });
        shipping.Spool.End(ShippingSpool.Row(TurnStatus.Refused, account: null));
        await shipping.EverythingIsShippedAsync(rows: 2, settled: 1);
        Assert.Equal(row with { Status = TurnStatus.Success }, shipping.Continuity.Rows.First());
        var settled = shipping.Accounts.Settled.Single();
        Assert.Equal((row.Id, "acc-a", "success", row.RequestedAt + TimeSpan.FromMilliseconds(2.5), 3L), (settled.TurnId, settled.AccountId, settled.Outcome, settled.SettledAt, settled.TotalTokens));
    }

    [Fact]
    public async Task What_a_killed_process_has_left_is_shipped_and_unfinished_turns_as_cut()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        var ended = ShippingSpool.Row();
        RequestLogRow[] cut = [ShippingSpool.Row(), ShippingSpool.Row("success")];
        shipping.Spool.Begin(cut[0]);
        shipping.Spool.Begin(ended);
        shipping.Spool.Begin(cut[1]);
        shipping.Spool.End(ended with { Status = TurnStatus.Incomplete });
        shipping.Kill();

        shipping.Open();
        var next = ShippingSpool.Row();
        shipping.Spool.Begin(next);
        await shipping.ShipAsync();
        await shipping.EverythingIsShippedAsync(rows: 3, settled: 3);
        Assert.Equal(
            new Dictionary<Guid, string> { [cut[0].Id] = "cut", [cut[1].Id] = "cut", [ended.Id] = "incomplete" },
            shipping.Continuity.Rows.ToDictionary(row => row.Id, row => row.Status));
        shipping.Spool.End(next with { Status = TurnStatus.Success });
        await shipping.EverythingIsShippedAsync(rows: 4, settled: 4);
    }

    [Fact]
    public async Task A_process_that_dies_again_before_it_has_shipped_loses_nothing()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        for (var life = 0; life < 3; life++)
        {
            shipping.Spool.Begin(ShippingSpool.Row());
            shipping.Kill();
            shipping.Open();
        }
        Assert.Equal(4, shipping.Files.Count);
        await shipping.ShipAsync();
        await shipping.EverythingIsShippedAsync(rows: 3, settled: 3);
    }

    [Theory]
    [InlineData("{\"ended\":{\"id\":\"0199")]
    [InlineData("not json\n\n\n")]
    [InlineData("\0\0\0\0\0\0\0\0")]
    [InlineData("\0\0\0\0{\"began\":{\"id\":\"01")]
    public async Task Half_written_lines_and_holes_are_survived(string damage)
    {
        await using var shipping = await ShippingSpool.StartAsync();
        var before = ShippingSpool.Row();
        shipping.Spool.Begin(before);
        shipping.Kill();
        var file = Assert.Single(shipping.Files);
        var whole = await File.ReadAllBytesAsync(file);
        // A hole, a whole line, and damage at the end; and a file of damage alone.
        var other = Encoding.UTF8.GetString(whole).Replace(before.Id.ToString(), Guid.CreateVersion7().ToString(), StringComparison.Ordinal);
        await File.WriteAllBytesAsync(file, [.. whole, .. new byte[100_000], .. Encoding.UTF8.GetBytes(other), .. Encoding.UTF8.GetBytes(damage)]);
        await File.WriteAllTextAsync(Path.Combine(shipping.Directory, "000000007.spool"), damage);
        shipping.Open();
        await shipping.ShipAsync();
        await shipping.EverythingIsShippedAsync(rows: 2, settled: 2);
    }

    [Fact]
    public async Task Writers_at_once_lose_nothing_over_many_segments()
    {
        const int writers = 8, turns = 1500;
        await using var shipping = await ShippingSpool.StartAsync();
        await shipping.ShipAsync();
        var most = 0;
        var written = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() =>
        {
            var ids = new List<Guid>();
            for (var turn = 0; turn < turns; turn++)
            {
                var row = ShippingSpool.Row();
                shipping.Spool.Begin(row);
                shipping.Spool.End(row with { Status = TurnStatus.Success });
                ids.Add(row.Id);
                most = Math.Max(most, shipping.Spool.Segments[^1].Order);
            }
            return ids;
        })));
        await shipping.EverythingIsShippedAsync(writers * turns, writers * turns);
        Assert.Equal(written.SelectMany(ids => ids).Order(), shipping.Continuity.Rows.Select(row => row.Id).Order());
        Assert.Equal(written.SelectMany(ids => ids).Order(), shipping.Accounts.Settled.Select(turn => turn.TurnId).Order());
        Assert.True(most >= 2, "The segments did not rotate.");
    }

    // Whoever reads it to its end removes it: a line that came later would go with it.
    [Fact]
    public async Task A_sealed_segment_takes_no_more()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        using var segment = SpoolSegment.Create(Path.Combine(shipping.Directory, "x"), order: 0);
        Assert.True(segment.TryAppend("a\n"u8));
        Assert.False(segment.IsQuiet);
        segment.Seal();
        Assert.True(segment.IsQuiet);
        Assert.False(segment.TryAppend("b\n"u8));
        Assert.Equal(2, segment.Length);
    }

    [Fact]
    public async Task A_segment_stays_while_a_turn_in_it_is_not_acknowledged_by_both()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        shipping.Spool.Begin(ShippingSpool.Row());
        shipping.Kill();
        shipping.Open();
        shipping.Accounts.OnSettle = _ => Task.FromResult(503);
        await shipping.ShipAsync();
        await Eventually.TrueAsync(() => shipping.Continuity.Rows.Count == 1);
        Assert.Equal(2, shipping.Files.Count);
        shipping.Accounts.OnSettle = _ => Task.FromResult(204);
        await shipping.EverythingIsShippedAsync(rows: 1, settled: 1);
    }

    [Fact]
    public async Task A_turn_is_settled_only_after_its_slot_was_given_back()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        await shipping.ShipAsync();
        var row = ShippingSpool.Row();
        shipping.Leases.Hold(row.Id, "acc-a");
        shipping.Spool.Begin(row);
        shipping.Spool.End(row);
        shipping.Spool.End(ShippingSpool.Row());
        await Eventually.TrueAsync(() => shipping.Continuity.Rows.Count == 2 && shipping.Accounts.Settled.Count == 1);
        Assert.NotEqual(row.Id, shipping.Accounts.Settled.Single().TurnId);
        shipping.Leases.Drop(row.Id);
        shipping.Spool.Wake();
        await shipping.EverythingIsShippedAsync(rows: 2, settled: 2);
    }

    // A hanging service must not keep the other one from its turns: unsettled turns hold slots, and unlogged ones fill the disk.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_service_that_hangs_keeps_only_its_own_turns_waiting(bool isContinuity)
    {
        var hang = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var shipping = await ShippingSpool.StartAsync();
        if (isContinuity)
        {
            shipping.Continuity.OnIntake = async _ => { await hang.Task; return 200; };
        }
        else
        {
            shipping.Accounts.OnSettle = async _ => { await hang.Task; return 204; };
        }
        int Told() => isContinuity ? shipping.Accounts.Settled.Count : shipping.Continuity.Rows.Count;
        await shipping.ShipAsync();
        for (var turn = 1; turn <= 3; turn++)
        {
            shipping.Spool.End(ShippingSpool.Row());
            var expected = turn;
            await Eventually.TrueAsync(() => Told() == expected, TimeSpan.FromSeconds(5));
        }
        hang.SetResult();
        await shipping.EverythingIsShippedAsync(rows: 3, settled: 3);
    }

    [Fact]
    public async Task However_many_turns_cannot_be_logged_they_are_settled()
    {
        const int turns = 10_000;
        await using var shipping = await ShippingSpool.StartAsync();
        shipping.Continuity.OnIntake = _ => Task.FromResult(503);
        for (var turn = 0; turn < turns; turn++)
        {
            shipping.Spool.End(ShippingSpool.Row());
        }
        await shipping.ShipAsync();
        await Eventually.TrueAsync(() => shipping.Accounts.Settled.Count == turns);
        shipping.Continuity.OnIntake = _ => Task.FromResult(200);
        await shipping.EverythingIsShippedAsync(turns, turns);
    }

    [Fact]
    public async Task A_directory_serves_one_edge()
    {
        await using var shipping = await ShippingSpool.StartAsync();
        var refused = Assert.Throws<InvalidOperationException>(() => ShippingSpool.Open(shipping.Directory));
        Assert.Contains(shipping.Directory, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_spool_refuses_new_turns_and_grows_no_further()
    {
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            using var earlier = ShippingSpool.Open(edge.SpoolDirectory);
            for (var turn = 0; turn < 3000; turn++)
            {
                earlier.End(ShippingSpool.Row());
            }
            edge.Continuity.OnIntake = _ => Task.FromResult(503);
        }, "Edge:SpoolMaxBytes=1048576");
        var size = edge.Spooled().Length;
        for (var turn = 0; turn < 3; turn++)
        {
            using var refused = await edge.PostAsync(RunningEdge.Body());
            Assert.Equal((503, "5"), ((int)refused.StatusCode, refused.Headers.GetValues("Retry-After").Single()));
            Assert.Contains("log_spool_full", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        using (var socket = await edge.ConnectAsync())
        {
            Assert.Equal("log_spool_full", (string?)(await socket.TurnAsync())["error"]!["code"]);
        }
        Assert.Equal(size, edge.Spooled().Length);
        Assert.Empty(edge.Sim.Recorded.Turns);

        edge.Continuity.OnIntake = _ => Task.FromResult(200);
        await Eventually.TrueAsync(() => edge.Continuity.Rows.Count == 3000);
        await Eventually.TrueAsync(async () => (await edge.TurnAsync()).Status == 200);
    }

    [Fact]
    public async Task Turns_go_on_while_both_services_that_take_them_are_down_and_nothing_is_lost()
    {
        const int turns = 20;
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Continuity.OnIntake = _ => Task.FromResult(503);
            edge.Accounts.OnSettle = _ => Task.FromResult(500);
        });
        await Task.WhenAll(Enumerable.Range(0, turns).Select(_ => edge.TurnAsync()));
        Assert.Empty(edge.Continuity.Rows);
        edge.Accounts.OnSettle = _ => Task.FromResult(204);
        await Eventually.TrueAsync(() => edge.Accounts.Settled.Count == turns);
        edge.Continuity.OnIntake = _ => Task.FromResult(200);
        await edge.NothingIsLeftAsync(turns);
    }
}
