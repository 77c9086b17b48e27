using System.Threading.Channels;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Turns;

/// <summary>
/// Lets an account cool down when upstream says in so many words that it is exhausted. Nothing else marks an account: neither time-outs
/// nor overload nor errors of the request.
/// </summary>
internal sealed partial class QuotaMarks(AccountsClient accounts, TimeProvider time, ILogger<QuotaMarks> logger) : BackgroundService
{
    private const int MaxPending = 1000;
    private static readonly TimeSpan WithoutHint = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(32);

    private readonly Channel<MarkRequest> _pending = Channel.CreateBounded<MarkRequest>(
        new BoundedChannelOptions(MaxPending) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    /// <summary>Marks the turn's account if the facts say that it is exhausted.</summary>
    public void Note(Turn turn, in ResponseFacts facts, TimeSpan? retryAfter = null)
    {
        if (turn.Account is { } account && IsQuota(facts.ErrorCode))
        {
            _pending.Writer.TryWrite(new MarkRequest(account.Id, ResetOf(facts, retryAfter, time.GetUtcNow()), facts.ErrorCode!));
        }
    }

    /// <summary>When the account is whole again by upstream's word; a reset in the past or beyond a month is not believed.</summary>
    internal static DateTimeOffset ResetOf(in ResponseFacts facts, TimeSpan? retryAfter, DateTimeOffset now)
    {
        DateTimeOffset?[] hints =
        [
            facts.ResetsAt,
            facts.ResetsInSeconds is { } seconds and > 0 and < 1e9 ? now + TimeSpan.FromSeconds(seconds) : null,
            retryAfter is { } wait ? now + wait : null,
        ];
        foreach (var hint in hints)
        {
            if (hint > now && hint < now + Longest)
            {
                return hint.Value;
            }
        }
        return now + WithoutHint;
    }

    internal static bool IsQuota(string? code) =>
        code is "rate_limit_exceeded" or "usage_limit_reached" or "insufficient_quota" or "usage_not_included" or "quota_exceeded";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
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
