using System.Threading.Channels;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Turns;

/// <summary>
/// Lets an account cool down when upstream says in so many words that it is exhausted, or that its credential is no good. Nothing else marks
/// an account: neither time-outs nor overload nor errors of the request.
/// </summary>
internal sealed partial class QuotaMarks(AccountsClient accounts, TimeProvider time, ILogger<QuotaMarks> logger) : BackgroundService
{
    private const int MaxPending = 1000;
    private static readonly TimeSpan RefusedCredential = TimeSpan.FromMinutes(1);

    private readonly Channel<MarkRequest> _pending = Channel.CreateBounded<MarkRequest>(
        new BoundedChannelOptions(MaxPending) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    /// <summary>Marks the turn's account if upstream says that it is exhausted.</summary>
    public void Note(Turn turn, UpstreamError? error)
    {
        if (turn.Account is { } account && error is { Kind: UpstreamErrorKind.Quota })
        {
            _pending.Writer.TryWrite(new MarkRequest(account.Id, error.ResetAfter(time.GetUtcNow()), error.Code!));
        }
    }

    /// <summary>Marks an account whose credential upstream refuses: for a short time, since an administrator may renew it.</summary>
    public void NoteRefusedCredential(string accountId, string reason) =>
        _pending.Writer.TryWrite(new MarkRequest(accountId, time.GetUtcNow() + RefusedCredential, reason));

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        await foreach (var mark in _pending.Reader.ReadAllAsync(stoppingToken))
        {
            if (await accounts.MarkAsync(mark, stoppingToken))
            {
                LogMarked(mark.AccountId, mark.Reason, mark.Until);
            }
        }
    }

    [LoggerMessage(420, LogLevel.Warning, "Account {AccountId} cools down until {Until}: {Reason}")]
    private partial void LogMarked(string accountId, string reason, DateTimeOffset until);
}
