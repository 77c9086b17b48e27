using System.Threading.Channels;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Turns;

/// <summary>
/// Tells the accounts service what upstream says of an account: that it is exhausted, for all or for one model; that its credential is no good; that it speaks
/// no WebSocket. Nothing else marks an account, neither time-outs nor overload nor errors of the request, and one turn lets no more than one account cool down.
/// </summary>
internal sealed partial class AccountMarks(AccountsClient accounts, SlotPrefetcher prefetcher, TimeProvider time, ILogger<AccountMarks> logger) : BackgroundService
{
    private const int MaxPending = 1000;
    private static readonly TimeSpan RefusedCredential = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RefusedWebSocket = TimeSpan.FromMinutes(10);

    // A rate is whole again soon; an account that is exhausted without saying until when is not worth a client's waiting for it.
    private static readonly TimeSpan UnspecifiedRate = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan UnspecifiedQuota = TimeSpan.FromMinutes(1);

    private readonly CoolDownBackoff _backoff = new(time);
    private readonly RefusedCredentials _refusedCredentials = new(time);

    private readonly Channel<MarkRequest> _pending = Channel.CreateBounded<MarkRequest>(
        new BoundedChannelOptions(MaxPending) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    /// <summary>Marks the turn's account if upstream says that it is exhausted.</summary>
    public void Note(Turn turn, UpstreamError? error)
    {
        if (turn.Account is not { } account || error is not { IsLimit: true } || turn.Request.Model is { Length: > MarkRequest.LongestModel } || !turn.TryCoolAccount())
        {
            return;
        }
        var model = error.Kind == UpstreamErrorKind.RateLimit ? turn.Request.Model : null;
        var until = error.ToldReset(time.GetUtcNow()) ?? _backoff.Until(account.Id, model, error.Kind == UpstreamErrorKind.Quota ? UnspecifiedQuota : UnspecifiedRate);
        Mark(new MarkRequest(account.Id, until, error.Code ?? error.Reason, model));
    }

    /// <summary>
    /// Marks an account whose credential upstream refuses, once that is certain: for a short time, since an administrator may renew it.
    /// </summary>
    /// <param name="isRenewed">It was refused right after it had been read anew and had changed.</param>
    public void NoteRefusedCredential(Turn turn, string reason, bool isRenewed)
    {
        var account = turn.Account!;
        if (_refusedCredentials.IsCorroborated(account.Id, account.Token, turn.Id) || isRenewed)
        {
            Mark(new MarkRequest(account.Id, time.GetUtcNow() + RefusedCredential, reason));
        }
    }

    /// <summary>The account's credential is good.</summary>
    public void NoteServed(string accountId) => _refusedCredentials.Served(accountId);

    /// <summary>Marks an account that refuses to open WebSockets: for a while it is used over HTTP only, and then tried again.</summary>
    public void NoteNoWebSockets(string accountId) =>
        Mark(new MarkRequest(accountId, time.GetUtcNow() + RefusedWebSocket, "websocket_refused", OnlyWebSockets: true));

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    // The service tells the other edges, which return what they have prefetched within a moment.
    private void Mark(MarkRequest mark)
    {
        prefetcher.ReturnAll(mark.AccountId);
        _pending.Writer.TryWrite(mark);
    }

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        await foreach (var mark in _pending.Reader.ReadAllAsync(stoppingToken))
        {
            if (!await accounts.MarkAsync(mark, stoppingToken))
            {
                continue;
            }
            // What was asked for before the service knew.
            prefetcher.ReturnAll(mark.AccountId);
            if (mark.OnlyWebSockets)
            {
                LogNoWebSockets(mark.AccountId, mark.Until);
            }
            else
            {
                LogMarked(mark.AccountId, mark.Until, mark.Reason);
            }
        }
    }

    [LoggerMessage(420, LogLevel.Warning, "Account {AccountId} cools down until {Until}: {Reason}")]
    private partial void LogMarked(string accountId, DateTimeOffset until, string reason);

    [LoggerMessage(421, LogLevel.Warning, "Account {AccountId} refuses WebSockets and is used over HTTP only until {Until}")]
    private partial void LogNoWebSockets(string accountId, DateTimeOffset until);
}
