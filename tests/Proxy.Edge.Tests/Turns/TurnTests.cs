using Proxy.Accounts.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Tests.Turns;

/// <summary>What a turn may be, and who holds what of it.</summary>
public sealed class TurnTests
{
    private readonly Turn _turn = new(new AcceptedRequest(
        Guid.CreateVersion7(), DateTimeOffset.UnixEpoch, 0, new TurnRequest { Stream = true }, Caller.Anonymous, new TurnScope(null, null), "http_stream"));

    [Fact]
    public void A_turn_without_an_account_cannot_be_attempted() => Assert.Throws<InvalidOperationException>(_turn.BeginAttempt);

    [Fact]
    public void An_attempt_begins_with_nothing_of_the_response_before_it()
    {
        var first = Attempt();
        first.Response.NoteSent();
        first.Response.ObserveTurnState("state-of-a");
        first.Response.ObserveRejection(new ResponseFacts(null, null, null, UpstreamError.Unspecified));
        _turn.Replay("usage_limit_reached", failedAccountId: "a");
        Attempt();
        Assert.Null(_turn.Response.GivenTurnState);
        Assert.Null(_turn.Response.ErrorCode);
        Assert.True(_turn.Response.WasSent);
        Assert.False(_turn.Response.HasBegun);
    }

    [Fact]
    public void What_was_told_last_explains_a_turn()
    {
        var attempt = Attempt();
        _turn.Replay("usage_limit_reached", failedAccountId: null);
        Assert.Equal("usage_limit_reached", _turn.Reason);
        _turn.GoOverHttp("websocket_refused");
        Assert.Equal("websocket_refused", _turn.Reason);
        attempt.Response.Pass(UpstreamError.Unspecified, "server_error");
        Assert.Equal("server_error", _turn.Reason);
        _turn.Explain("draining");
        Assert.Equal("draining", _turn.Reason);
    }

    [Fact]
    public void A_lease_is_given_back_once_by_whoever_holds_it_last()
    {
        var given = new List<string>();
        var lease = new Lease<string>("slot", given.Add);
        var moved = lease.Move();
        lease.Dispose();
        Assert.Empty(given);
        Assert.Throws<InvalidOperationException>(lease.Move);
        moved.Dispose();
        moved.Dispose();
        Assert.Equal(["slot"], given);
    }

    private TurnAttempt Attempt()
    {
        _turn.Admit(new Admitted(new AdmittedAccount("acc-a", "a", "http://a", "dom-a", WebSockets: true, Lanes: false, CredentialKind.Bearer, "token", LeaseSeconds: 15)));
        return _turn.BeginAttempt();
    }
}
