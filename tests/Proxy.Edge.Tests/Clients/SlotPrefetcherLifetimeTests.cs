using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Tests.Fixture;
using ServiceDefaults.Http;
using Testing;

namespace Proxy.Edge.Tests.Clients;

/// <summary>What becomes of slots at hand while time passes by the hand of the test: nothing goes back for its age alone unless the test lets it grow old.</summary>
public sealed class SlotPrefetcherLifetimeTests : IAsyncLifetime
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);

    private readonly FakeAccounts _accounts = new();
    private readonly CountedTime _time = new();
    private HttpClient _http = null!;
    private LeaseKeeper _leases = null!;
    private SlotPrefetcher _prefetcher = null!;

    public async Task InitializeAsync()
    {
        _accounts.Put(new AdmittedAccount("acc-a", "a", "http://upstream", "dom-a", true, true, CredentialKind.Bearer, "t", 30));
        _accounts.Put(new AdmittedAccount("acc-b", "b", "http://upstream", "dom-b", true, true, CredentialKind.Bearer, "t", 30));
        await _accounts.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_accounts.Address), DefaultRequestHeaders = { { InternalToken.Header, FakeService.Token } } };
        var client = new AccountsClient(_http);
        _leases = new LeaseKeeper(client, _time, NullLogger<LeaseKeeper>.Instance);
        _prefetcher = new SlotPrefetcher(client, _leases, Options.Create(new EdgeOptions()), _time, NullLogger<SlotPrefetcher>.Instance);
        await _prefetcher.StartAsync(CancellationToken.None);
        // Time that passes before its loop has begun would be no tick.
        await Eventually.TrueAsync(() => _time.Timers == 1);
    }

    public async Task DisposeAsync()
    {
        await _prefetcher.StopAsync(CancellationToken.None);
        _prefetcher.Dispose();
        _leases.Dispose();
        _http.Dispose();
        await _accounts.DisposeAsync();
    }

    [Fact]
    public async Task What_was_decided_before_accounts_or_keys_have_changed_goes_back()
    {
        await FillAsync();
        _accounts.Version = "2";
        _time.Advance(Tick);
        await Eventually.TrueAsync(() => _prefetcher.Count == 0 && _accounts.Slots == 0);
        Assert.Equal(2, _accounts.Returned.Count);
    }

    [Fact]
    public async Task What_somebody_waits_for_goes_back_and_for_two_seconds_no_more_is_asked_for()
    {
        await FillAsync();
        _accounts.Wanted = ["acc-a"];
        _time.Advance(Tick);
        await Eventually.TrueAsync(() => _prefetcher.Count == 0 && _accounts.Slots == 0);
        _accounts.Wanted = [];
        var asked = _accounts.Prefetches.Count;
        TakeTwice();
        _time.Advance(TimeSpan.FromSeconds(1.9));
        TakeTwice();
        Assert.Equal(asked, _accounts.Prefetches.Count);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        TakeTwice();
        await Eventually.TrueAsync(() => _accounts.Prefetches.Count > asked);
    }

    [Fact]
    public async Task What_was_lost_is_not_taken_and_not_given_back()
    {
        await FillAsync();
        foreach (var turn in _accounts.Prefetches.SelectMany(asked => asked.TurnIds))
        {
            _accounts.Lost[turn] = true;
        }
        _time.Advance(Tick);
        await Eventually.TrueAsync(() => _prefetcher.Count == 0);
        Assert.Empty(_accounts.Returned);
    }

    [Fact]
    public async Task What_nobody_takes_goes_back_after_two_seconds()
    {
        await FillAsync();
        for (var tick = 0; tick < 8; tick++)
        {
            await ConfirmAsync();
        }
        Assert.Equal(2, _prefetcher.Count);
        _time.Advance(Tick);
        await Eventually.TrueAsync(() => _prefetcher.Count == 0 && _accounts.Slots == 0);
    }

    // A process that was frozen, or cut off, does not know whose its slots are by now.
    [Fact]
    public async Task What_the_service_has_not_confirmed_for_a_second_is_not_taken()
    {
        await FillAsync();
        _accounts.IsAway = true;
        _time.Advance(TimeSpan.FromSeconds(0.9));
        Assert.NotNull(_prefetcher.TryTake(Some()));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Null(_prefetcher.TryTake(Some()));
        Assert.Equal(1, _prefetcher.Count);
        _accounts.IsAway = false;
    }

    [Fact]
    public async Task On_an_account_that_is_given_up_nothing_is_kept()
    {
        await FillAsync();
        _prefetcher.ReturnAll("acc-b");
        Assert.Equal(2, _prefetcher.Count);
        _prefetcher.ReturnAll("acc-a");
        Assert.Equal(0, _prefetcher.Count);
        await Eventually.TrueAsync(() => _accounts.Slots == 0);
    }

    [Fact]
    public async Task A_turn_that_waits_for_its_slot_frees_those_that_would_do_for_it()
    {
        await FillAsync();
        var elsewhere = new TaskCompletionSource<AdmissionResponse?>();
        var waiting = _prefetcher.MakeRoomForAsync(Some() with { Domain = "dom-b" }, elsewhere.Task, CancellationToken.None);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(2, _prefetcher.Count);
        var here = new TaskCompletionSource<AdmissionResponse?>();
        var waitingHere = _prefetcher.MakeRoomForAsync(Some() with { PreferredAccountId = "acc-b" }, here.Task, CancellationToken.None);
        _time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.Equal(2, _prefetcher.Count);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Eventually.TrueAsync(() => _prefetcher.Count == 0 && _accounts.Slots == 0);
        elsewhere.SetResult(null);
        here.SetResult(null);
        await Task.WhenAll(waiting, waitingHere);
    }

    // Otherwise whoever asks and leaves would empty it for all.
    [Fact]
    public async Task A_client_that_leaves_while_its_turn_waits_frees_nothing()
    {
        await FillAsync();
        using var left = new CancellationTokenSource();
        var admission = new TaskCompletionSource<AdmissionResponse?>();
        var waiting = _prefetcher.MakeRoomForAsync(Some(), admission.Task, left.Token);
        await left.CancelAsync();
        for (var turn = 0; turn < 100; turn++)
        {
            await Task.Yield();
        }
        admission.SetCanceled(left.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(2, _prefetcher.Count);
        Assert.Empty(_accounts.Returned);
    }

    [Fact]
    public async Task Turns_that_prefer_an_account_have_slots_of_their_own()
    {
        var prefers = Some() with { PreferredAccountId = "acc-b" };
        Assert.Null(_prefetcher.TryTake(prefers));
        Assert.Null(_prefetcher.TryTake(prefers));
        await Eventually.TrueAsync(() => _prefetcher.Count == 2);
        Assert.Null(_prefetcher.TryTake(Some()));
        Assert.Equal("acc-b", _prefetcher.TryTake(prefers)?.Account.Id);
    }

    [Fact]
    public async Task A_key_that_asks_for_ever_new_models_leaves_room_for_others()
    {
        for (var model = 0; model < 1200; model++)
        {
            Assert.Null(_prefetcher.TryTake(Some() with { KeyId = "key-2", Model = $"m-{model}" }));
        }
        await FillAsync();
    }

    [Fact]
    public async Task A_turn_that_has_begun_is_told_until_the_service_has_heard_it()
    {
        var turn = new StartedTurn(Guid.CreateVersion7(), "acc-a", "key-1", "m");
        _leases.Hold(turn.TurnId, turn.AccountId);
        _prefetcher.MarkStarted(turn);
        _prefetcher.MarkStarted(turn with { TurnId = Guid.CreateVersion7() });
        _accounts.IsAway = true;
        _time.Advance(Tick);
        await Eventually.TrueAsync(() => _accounts.Missed > 0);
        _accounts.IsAway = false;
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(Tick);
            return !_accounts.Started.IsEmpty;
        });
        // The other one does not run any more.
        Assert.Equal(turn, Assert.Single(_accounts.Started.Distinct()));
    }

    [Fact]
    public async Task What_comes_after_the_end_is_not_kept()
    {
        await FillAsync();
        await _prefetcher.StopAsync(CancellationToken.None);
        Assert.Equal((0, 0), (_prefetcher.Count, _accounts.Slots));
        TakeTwice();
        Assert.Equal(0, _prefetcher.Count);
    }

    private static AdmissionRequest Some() => new(Guid.CreateVersion7(), AdmissionPurpose.Turn, "key-1", "m", null, null, null, NeedsWebSockets: false, WaitMs: 0);

    private void TakeTwice()
    {
        Assert.Null(_prefetcher.TryTake(Some()));
        Assert.Null(_prefetcher.TryTake(Some()));
    }

    private async Task FillAsync()
    {
        TakeTwice();
        await Eventually.TrueAsync(() => _prefetcher.Count == 2);
    }

    // A tick, and the service's answer to it.
    private async Task ConfirmAsync()
    {
        var before = _accounts.Confirmations;
        _time.Advance(Tick);
        await Eventually.TrueAsync(() => _accounts.Confirmations > before);
    }

    private sealed class CountedTime : FakeTimeProvider
    {
        private int _timers;

        public int Timers => Volatile.Read(ref _timers);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Interlocked.Increment(ref _timers);
            return timer;
        }
    }
}
