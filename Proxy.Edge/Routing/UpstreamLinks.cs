using System.Collections.Concurrent;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using ServiceDefaults.Http;

namespace Proxy.Edge.Routing;

/// <summary>
/// The upstream sockets of one client's socket: one for each account in use, or one for each lane of an account that has no lanes itself.
/// They are opened when a turn needs them and live until either side ends.
/// </summary>
/// <param name="diedIdle">Called when a socket has ended that no turn was on.</param>
/// <param name="clientEnded">Ends them all.</param>
internal sealed partial class UpstreamLinks(
    SocketServices services, HttpRequest handshake, string path, MessageSocket client, Func<UpstreamLink, Task> diedIdle, CancellationToken clientEnded) : IDisposable
{
    private readonly ConcurrentDictionary<(string AccountId, string? Lane), UpstreamLink> _links = new();
    private readonly ConcurrentDictionary<Task, bool> _pumps = new();

    // Lanes that share an upstream socket must not open one each: ids that live on a socket would be on the wrong one.
    private readonly SemaphoreSlim _opening = new(1);

    /// <summary>Takes over a socket that is open already, for the default lane.</summary>
    public void Adopt(AdmittedAccount account, MessageSocket socket) => Link(account, KeyOf(account, Lane.Default), socket);

    /// <summary>The socket for a turn's account and lane, opened if need be; or why there is none.</summary>
    /// <exception cref="OperationCanceledException">The turn's deadline.</exception>
    public async Task<(UpstreamLink? Link, ApiError? Error)> GetAsync(Turn turn, TurnDeadline deadline)
    {
        var key = KeyOf(turn.Account!, turn.Request.StreamId ?? Lane.Default);
        if (!turn.Account!.Lanes)
        {
            return Find(key) is { } own ? (own, null) : await OpenAsync(turn, key, deadline);
        }
        await _opening.WaitAsync(deadline.Token);
        try
        {
            return Find(key) is { } shared ? (shared, null) : await OpenAsync(turn, key, deadline);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>The socket that a lane's turns use on an account, if it is open.</summary>
    public UpstreamLink? Find(string? accountId, string lane) =>
        accountId is null ? null : Find((accountId, null)) ?? Find((accountId, lane));

    /// <summary>Ends when all sockets have.</summary>
    public Task WhenEndedAsync() => Task.WhenAll(_pumps.Keys);

    public void Dispose() => _opening.Dispose();

    private async Task<(UpstreamLink? Link, ApiError? Error)> OpenAsync(Turn turn, (string, string?) key, TurnDeadline deadline)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        bound.CancelAfter(TimeSpan.FromSeconds(services.Options.Value.ConnectSeconds));
        try
        {
            var opened = await services.Connector.ConnectAsync(turn.Account!, path, handshake, bound.Token);
            if (opened.Socket is { } socket)
            {
                return (Link(turn.Account!, key, socket), null);
            }
            var facts = EventScanner.ReadFacts(opened.Body);
            services.Events.Refused(turn, facts);
            return (null, HandshakeErrors.Explain(opened.Status, facts));
        }
        catch (OperationCanceledException) when (!deadline.Token.IsCancellationRequested)
        {
            return (null, Errors.UpstreamUnreachable);
        }
    }

    private UpstreamLink? Find((string, string?) key) => _links.TryGetValue(key, out var link) && !link.IsClosed ? link : null;

    private UpstreamLink Link(AdmittedAccount account, (string, string?) key, MessageSocket socket)
    {
        var link = new UpstreamLink(socket, client, account, key.Item2, services.Events);
        _links[key] = link;
        var pump = PumpAsync(link, key);
        _pumps.TryAdd(pump, true);
        pump.ContinueWith(ended => _pumps.TryRemove(ended, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
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
            LogFault(services.Logger, exception);
        }
        _links.TryRemove(new KeyValuePair<(string, string?), UpstreamLink>(key, link));
        if (link.DiedIdle)
        {
            await diedIdle(link);
        }
    }

    private static (string, string?) KeyOf(AdmittedAccount account, string lane) => (account.Id, account.Lanes ? null : lane);

    [LoggerMessage(431, LogLevel.Error, "A fault while relaying an upstream socket")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
