using System.Collections.Concurrent;
using System.Net.Http.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Tests.Fixture;
using Testing;

namespace Proxy.Edge.Tests.Recovery;

/// <summary>A turn that moves to another account while its old slot is being renewed.</summary>
public sealed class MovedSlotTests
{
    [Fact]
    public async Task What_is_lost_of_an_account_that_a_turn_has_left_does_not_stop_it()
    {
        var time = new FakeTimeProvider();
        Guid moved = Guid.CreateVersion7(), stayed = Guid.CreateVersion7();
        LeaseKeeper? keeper = null;
        var renewals = 0;
        // Both are lost on the account they were asked for; one has left it when the answer comes.
        using var http = new HttpClient(new Answering(() =>
        {
            keeper!.Hold(moved, "acc-b");
            return new RenewResponse(Interlocked.Increment(ref renewals) == 1 ? [moved, stayed] : []);
        }))
        { BaseAddress = new Uri("http://accounts") };
        using var held = keeper = new LeaseKeeper(new AccountsClient(http), time, NullLogger<LeaseKeeper>.Instance);
        var (lostOfMoved, lostOfStayed) = (keeper.Hold(moved, "acc-a"), keeper.Hold(stayed, "acc-a"));
        await keeper.StartAsync(CancellationToken.None);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(Volatile.Read(ref renewals) == 0 ? AccountsRoutes.RenewIntervalSeconds : 0));
            return lostOfStayed.IsCancellationRequested;
        });
        await keeper.StopAsync(CancellationToken.None);
        Assert.Equal((false, true, false), (lostOfMoved.IsCancellationRequested, keeper.IsHeld(moved), keeper.IsHeld(stayed)));
    }

    // The service has leased the slot, and nobody has heard of it.
    [Fact]
    public async Task A_slot_whose_answer_was_lost_is_given_back_when_the_service_answers_again()
    {
        var isLost = true;
        await using var edge = await RunningEdge.StartAsync(edge =>
        {
            edge.Accounts.OnAdmit = request => Task.FromResult<AdmissionResponse?>(edge.Accounts.Admit(request));
            edge.Accounts.LosesAnswer = () => isLost;
        });
        Assert.Equal(503, (await edge.TurnAsync()).Status);
        isLost = false;
        await Eventually.TrueAsync(() => edge.Accounts.Slots == 0);
        Assert.Equal(200, (await edge.TurnAsync()).Status);
    }

    [Fact]
    public async Task A_turn_that_has_asked_again_and_was_answered_keeps_its_slot()
    {
        var time = new FakeTimeProvider();
        Guid held = Guid.CreateVersion7(), lost = Guid.CreateVersion7();
        var asked = new ConcurrentQueue<string>();
        using var http = new HttpClient(new Answering(() => new RenewResponse([]), asked)) { BaseAddress = new Uri("http://accounts") };
        using var keeper = new LeaseKeeper(new AccountsClient(http), time, NullLogger<LeaseKeeper>.Instance);
        keeper.Abandon(held);
        keeper.Abandon(lost);
        keeper.Hold(held, "acc-a");
        await keeper.StartAsync(CancellationToken.None);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(AccountsRoutes.RenewIntervalSeconds));
            return asked.Any(body => body.Contains(lost.ToString(), StringComparison.Ordinal));
        });
        await keeper.StopAsync(CancellationToken.None);
        Assert.DoesNotContain(asked, body => body.Contains(held.ToString(), StringComparison.Ordinal));
    }

    private sealed class Answering(Func<RenewResponse> answer, ConcurrentQueue<string>? abandoned = null) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.RequestUri!.AbsolutePath == AccountsRoutes.Abandon)
            {
                abandoned?.Enqueue(await request.Content!.ReadAsStringAsync(cancellationToken));
            }
            return new HttpResponseMessage { Content = JsonContent.Create(answer(), AccountsJson.Default.RenewResponse) };
        }
    }
}
