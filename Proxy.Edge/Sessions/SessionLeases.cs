using Microsoft.Extensions.Options;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Sessions;

/// <summary>What an edge may think of its claim on a session.</summary>
internal enum LeaseState
{
    /// <summary>Nobody else can have claimed it.</summary>
    Valid,

    /// <summary>Somebody else has.</summary>
    Lost,

    /// <summary>Its time is over, and nobody could be asked.</summary>
    Unknown,
}

/// <summary>Renews the claims on all sessions of this edge; one that is lost ends its session.</summary>
internal sealed partial class SessionLeases(
    ContinuityClient continuity, SessionRegistry registry, IOptions<EdgeOptions> options, TimeProvider time, ILogger<SessionLeases> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(SessionClaim.RenewIntervalSeconds);

    /// <summary>To be asked before each send. A claim whose time is over, as after a long pause of this process, is renewed first.</summary>
    public async ValueTask<LeaseState> CheckAsync(Session session, CancellationToken cancellationToken)
    {
        if (!session.Lease.IsValid)
        {
            await RenewAsync([session], cancellationToken);
        }
        return session.IsLost ? LeaseState.Lost
            : session.Lease.IsValid ? LeaseState.Valid
            : LeaseState.Unknown;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var chunk in registry.All.Where(session => !session.IsLost).Chunk(ContinuityRoutes.MaxSessions))
            {
                await RenewAsync(chunk, stoppingToken);
            }
        }
    }

    private async Task RenewAsync(IReadOnlyList<Session> sessions, CancellationToken cancellationToken)
    {
        var asOf = time.GetTimestamp();
        var renewed = await continuity.RenewSessionsAsync([.. sessions.Select(RenewalOf)], cancellationToken);
        if (renewed is null)
        {
            return;
        }
        foreach (var session in sessions)
        {
            if (renewed.Lost.Contains(session.Key.Name))
            {
                LogLost(session.Key.Name[..12]);
                session.Lose();
            }
            else
            {
                session.Lease.Renewed(asOf);
            }
        }
    }

    private RenewedSession RenewalOf(Session session) =>
        new(session.Lease.Claim, options.Value.AdvertisedAddress, session.KeyId, session.Account?.Id, session.Account?.Domain);

    [LoggerMessage(434, LogLevel.Warning, "Session {Session} is another edge's by now: its sockets are closed")]
    private partial void LogLost(string session);
}
