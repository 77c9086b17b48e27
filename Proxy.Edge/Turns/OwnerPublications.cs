using System.Threading.Channels;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Clients;
using Proxy.Edge.Owners;
using ServiceDefaults.Hosting;

namespace Proxy.Edge.Turns;

/// <summary>
/// Tells the continuity service who owns an id. A publication that is not acknowledged in time goes on here, in a bounded queue:
/// meanwhile this edge knows the owner itself, and the log row will tell it too.
/// </summary>
internal sealed partial class OwnerPublications(
    ContinuityClient continuity, PublicationBatches batches, OwnerDirectory owners, TurnTelemetry telemetry, IOptions<EdgeOptions> options, TimeProvider time, ILogger<OwnerPublications> logger) : BackgroundService
{
    private const int MaxPending = 10_000;
    private const int AtOnce = 32;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StopBound = TimeSpan.FromSeconds(2);

    private readonly Channel<(Task<Publication> Attempt, PublishRequest Request)> _pending = Channel.CreateBounded<(Task<Publication>, PublishRequest)>(
        new BoundedChannelOptions(MaxPending) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    /// <summary>Begins to publish what a turn has minted. The caller awaits the task, with its own bound, in <see cref="WaitAsync"/>.</summary>
    public Task<Publication> Begin(TurnAttempt attempt, string id) => PublishAsync(RequestFor(attempt.Turn, attempt.Account, id));

    /// <summary>Publishes what came with a response that is not stored: it is only a preference, so nobody waits for it.</summary>
    public void PublishOutputs(TurnAttempt attempt, string id)
    {
        var request = RequestFor(attempt.Turn, attempt.Account, id);
        Queue(PublishAsync(request), request);
    }

    /// <summary>Publishes an id that nobody waits for, unless its owner is known.</summary>
    public void Publish(OwnedId id, OwnerRecord owner)
    {
        if (NeedsNoPublication(id))
        {
            return;
        }
        var request = new PublishRequest(id, owner, null);
        Queue(PublishAsync(request), request);
    }

    /// <summary>Publishes an id, unless its owner is known, and waits for the acknowledgement; past the bound it comes later.</summary>
    public async Task PublishAsync(OwnedId id, OwnerRecord owner, TimeSpan bound)
    {
        if (NeedsNoPublication(id))
        {
            return;
        }
        var request = new PublishRequest(id, owner, null);
        var attempt = PublishAsync(request);
        try
        {
            if (await attempt.WaitAsync(bound, time) != Publication.Failed)
            {
                return;
            }
        }
        catch (TimeoutException)
        {
            // It goes on below.
        }
        Queue(attempt, request);
    }

    /// <summary>
    /// Waits for the acknowledgement, so that the client can send a follow-up to any edge; past the bound it comes later. False if the session
    /// that carries the turn is another edge's by now.
    /// </summary>
    public async Task<bool> WaitAsync(Turn turn, TimeSpan bound)
    {
        if (turn is not { Response: { Publication: { } publication, PublishedId: { } id }, Account: { } account })
        {
            return true;
        }
        try
        {
            if (await publication.WaitAsync(bound, time) is var published && published != Publication.Failed)
            {
                return published != Publication.Superseded;
            }
        }
        catch (TimeoutException)
        {
            // It goes on below.
        }
        telemetry.CountLatePublication();
        Queue(publication, RequestFor(turn, account, id));
        return true;
    }

    /// <summary>
    /// Writes a completed response as its session's latest; false if the session is another edge's by now. A write that fails or takes too long is let go:
    /// it only serves where an alias is lost.
    /// </summary>
    public async Task<bool> CompleteAsync(TurnAttempt attempt, string id, TimeSpan bound)
    {
        var (turn, account) = (attempt.Turn, attempt.Account);
        if (turn.Claim is not { } claim)
        {
            return true;
        }
        var request = new WriteSessionRequest(claim, options.Value.AdvertisedAddress, turn.Caller.KeyId, account.Id, account.Domain, attempt.Response.GivenTurnState, id, turn.Request.Store);
        try
        {
            return await continuity.WriteSessionAsync(request, CancellationToken.None).WaitAsync(bound, time) != Publication.Superseded;
        }
        catch (TimeoutException)
        {
            return true;
        }
    }

    /// <summary>Waits for what is on its way; what failed is known to the log.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await batches.WhenSentAsync().WaitAsync(StopBound, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Queue(Task<Publication> attempt, PublishRequest request)
    {
        if (!_pending.Writer.TryWrite((attempt, request)))
        {
            LogDropped();
        }
    }

    private bool NeedsNoPublication(OwnedId id) => id.Id.Length > OwnedId.MaxLength || owners.Knows(id);

    // Many at once: after an outage each has to be made, and follow-ups wait for them.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SteadyLoop.RunAsync(RunAsync, time, logger, stoppingToken);

    private Task RunAsync(CancellationToken stoppingToken) => Parallel.ForEachAsync(
        _pending.Reader.ReadAllAsync(stoppingToken), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken },
        async (pending, cancellationToken) =>
        {
            var published = await pending.Attempt;
            while (published == Publication.Failed)
            {
                await Task.Delay(Pause, time, cancellationToken);
                published = await PublishAsync(pending.Request, cancellationToken);
            }
        });

    // By default not the client's token: whoever leaves, the id exists.
    private async Task<Publication> PublishAsync(PublishRequest request, CancellationToken cancellationToken = default)
    {
        owners.Keep(request.Id, request.Owner, request.Scope);
        foreach (var other in request.With ?? [])
        {
            owners.Keep(other, request.Owner, scope: null);
        }
        var published = await batches.PublishAsync(request, cancellationToken);
        if (published == Publication.Taken)
        {
            owners.Drop(request.Id);
        }
        return published;
    }

    private static PublishRequest RequestFor(Turn turn, AdmittedAccount account, string id) => new(
        new OwnedId(turn.Accepted.MintedKind, id),
        new OwnerRecord(turn.Caller.KeyId, account.Id, account.Domain, turn.Scope.SessionId, turn.Request.Store, turn.Activity?.Id, turn.Claim?.Session),
        // What a turn demands says nothing of where the conversation lives.
        turn.Route.Domain is null || turn.Route.OnlyEncrypted ? turn.Scope.Key : null,
        turn.Claim,
        turn.Response.Outputs is { Count: > 0 } outputs ? outputs : null,
        turn.Accepted.At);

    [LoggerMessage(410, LogLevel.Error, "Too many owners wait to be published; one is known to this edge and the log only")]
    private partial void LogDropped();
}
