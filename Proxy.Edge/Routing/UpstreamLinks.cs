using System.Collections.Concurrent;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Downstream;
using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>
/// The upstream sockets of one client's socket: one for each account in use, or one for each lane of an account that has no lanes itself.
/// They are opened when a turn needs them and live until either side ends.
/// </summary>
/// <param name="diedIdle">Called when a socket has ended that no turn was on.</param>
/// <param name="follow">Begins the turn of a response that upstream has begun by itself.</param>
/// <param name="clientEnded">Ends them all.</param>
internal sealed partial class UpstreamLinks(
    UpstreamSockets sockets, HttpRequest handshake, string path, SocketEvents events, Func<UpstreamLink, Task> diedIdle,
    Func<UpstreamLink, Turn, string, SocketAttempt?> follow, ILogger logger, CancellationToken clientEnded) : IDisposable
{
    private readonly ConcurrentDictionary<(string AccountId, string? Lane), UpstreamLink> _links = new();

    // All that have not ended, also those that another has taken the place of.
    private readonly ConcurrentDictionary<UpstreamLink, bool> _open = new();
    private readonly RunningTasks _pumps = new();

    // Lanes that share an upstream socket must not open one each: ids that live on a socket would be on the wrong one.
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _opening = new(StringComparer.Ordinal);

    /// <summary>Takes over a socket that is open already, for the default lane.</summary>
    public void Adopt(AdmittedAccount account, MessageSocket socket) => Link(account, KeyOf(account, LaneQueue.Default), socket);

    /// <summary>The socket for a turn's account and lane, opened if need be; or why there is none.</summary>
    /// <exception cref="OperationCanceledException">The attempt's deadline.</exception>
    public async Task<(UpstreamLink? Link, RecoverySignal? Signal)> GetAsync(TurnAttempt attempt, string lane, CancellationToken cancellationToken)
    {
        var (turn, account) = (attempt.Turn, attempt.Account);
        var key = KeyOf(account, lane);
        if (turn.Route.Anchor == Anchor.Local)
        {
            // Nowhere else would it be found, whatever the lane that asks.
            return _open.Keys.FirstOrDefault(link => link.Account.Id == account.Id && link.Holds(turn.Request.PreviousResponseId!)) is { } home
                ? (home, null)
                : (null, new RecoverySignal(SignalKind.AnchorGone));
        }
        if (FindForTurn(key) is { } open)
        {
            return (open, null);
        }
        if (!account.Lanes)
        {
            return await OpenAsync(attempt, key, cancellationToken);
        }
        var opening = _opening.GetOrAdd(account.Id, _ => new SemaphoreSlim(1));
        await opening.WaitAsync(cancellationToken);
        try
        {
            return FindForTurn(key) is { } shared ? (shared, null) : await OpenAsync(attempt, key, cancellationToken);
        }
        finally
        {
            opening.Release();
        }
    }

    /// <summary>True if a socket is open on which a response was made that lives as long as it.</summary>
    public bool Holds(string anchor) => _open.Keys.Any(link => link.Holds(anchor));

    /// <summary>True if all that are open are of such accounts.</summary>
    public bool AreAll(Predicate<AdmittedAccount> condition) => _open.Keys.All(link => condition(link.Account));

    /// <summary>The socket on which a response runs, or was the last to end on its lane.</summary>
    public UpstreamLink? Knowing(string responseId) => _open.Keys.FirstOrDefault(link => link.Knows(responseId));

    /// <summary>
    /// The socket for a frame that names no response: that on which its lane's turn runs, else the only one on which any turn does, else the one that the lane's next
    /// turn would use on the account.
    /// </summary>
    public UpstreamLink? For(string? streamId, string? accountId)
    {
        var lane = streamId ?? LaneQueue.Default;
        UpstreamLink[] busy = [.. _open.Keys.Where(link => link.IsBusy)];
        return busy.FirstOrDefault(link => link.Runs(lane))
            ?? (streamId is null && busy is [var only] ? only : null)
            ?? (accountId is null ? null : Find((accountId, null)) ?? Find((accountId, lane)));
    }

    /// <summary>Ends when all sockets have.</summary>
    public Task WhenEndedAsync() => _pumps.WhenEndedAsync();

    public void Dispose()
    {
        foreach (var opening in _opening.Values)
        {
            opening.Dispose();
        }
    }

    private async Task<(UpstreamLink? Link, RecoverySignal? Signal)> OpenAsync(TurnAttempt attempt, (string, string?) key, CancellationToken cancellationToken)
    {
        var (socket, _, signal) = await sockets.OpenAsync(attempt, handshake, path, session: null, cancellationToken);
        return socket is null ? (null, signal) : (Link(attempt.Account, key, socket), null);
    }

    private UpstreamLink? Find((string, string?) key) => _links.TryGetValue(key, out var link) && link.IsOpen ? link : null;

    // An old one makes room for another before upstream cuts it within a turn. For what runs and what was made on it, it stays as long as it can.
    private UpstreamLink? FindForTurn((string, string?) key)
    {
        if (Find(key) is not { IsOld: true } old)
        {
            return Find(key);
        }
        if (old is { IsBusy: false, HoldsLocalIds: false })
        {
            old.Retire();
        }
        return null;
    }

    private UpstreamLink Link(AdmittedAccount account, (string, string?) key, MessageSocket socket)
    {
        var link = sockets.LinkForClient(socket, account, events, follow);
        _open[link] = true;
        _links[key] = link;
        _pumps.Add(PumpAsync(link, key));
        return link;
    }

    private async Task PumpAsync(UpstreamLink link, (string, string?) key)
    {
        try
        {
            await link.PumpAsync(clientEnded);
        }
        catch (Exception exception)
        {
            LogFault(logger, exception);
        }
        _open.TryRemove(link, out _);
        // One that another has taken the place of has served its time: the client goes on with that.
        if (_links.TryRemove(new KeyValuePair<(string, string?), UpstreamLink>(key, link)) && link.DiedIdle)
        {
            await diedIdle(link);
        }
    }

    private static (string, string?) KeyOf(AdmittedAccount account, string lane) => (account.Id, account.Lanes ? null : lane);

    [LoggerMessage(431, LogLevel.Error, "A fault while relaying an upstream socket")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
