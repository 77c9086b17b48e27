using Proxy.Continuity.Contracts;
using Proxy.Edge.Lifecycle;

namespace Proxy.Edge.Clients;

/// <summary>
/// Publishes owners together: what comes while a batch is on its way goes with the next one. One that comes alone is sent at once, and under load a call is shared by many.
/// </summary>
internal sealed class PublicationBatches(ContinuityClient continuity)
{
    // Few calls hang at once, and those are not to hold up all.
    private const int MostOnTheWay = 8;

    // Of a few hundred bytes each. A response may bring many along.
    private const int MostIdsWaiting = 50_000;

    private readonly Lock _lock = new();
    private readonly Queue<Waiting> _waiting = new();
    private readonly RunningTasks _sending = new();
    private int _idsWaiting;
    private int _onTheWay;

    /// <summary>Publishes an owner; <see cref="Publication.Failed"/> also where too many wait.</summary>
    public Task<Publication> PublishAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        // Only what needs nothing but Redis goes with others: it is not to wait for another caller's row in Postgres.
        if (request.Claim is not null || OwnedKinds.IsLasting(request.Id.Kind))
        {
            return continuity.PublishAsync(request, cancellationToken);
        }
        var published = new TaskCompletionSource<Publication>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_idsWaiting + IdsOf(request) > MostIdsWaiting)
            {
                return Task.FromResult(Publication.Failed);
            }
            _idsWaiting += IdsOf(request);
            _waiting.Enqueue(new Waiting(request, published));
            if (_onTheWay >= MostOnTheWay)
            {
                return published.Task.WaitAsync(cancellationToken);
            }
            _onTheWay++;
        }
        _sending.Add(SendAsync());
        return published.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Ends when nothing is on its way any more.</summary>
    public Task WhenSentAsync() => _sending.WhenEndedAsync();

    private async Task SendAsync()
    {
        while (Next() is { Length: > 0 } batch)
        {
            try
            {
                // Nobody's token: whoever leaves, the ids exist. The call has a bound of its own.
                var published = await continuity.PublishAsync([.. batch.Select(one => one.Request)], CancellationToken.None);
                for (var index = 0; index < batch.Length; index++)
                {
                    batch[index].Published.SetResult(published[index]);
                }
            }
            catch (Exception fault)
            {
                foreach (var one in batch)
                {
                    one.Published.TrySetException(fault);
                }
            }
        }
    }

    private Waiting[] Next()
    {
        lock (_lock)
        {
            var batch = new Waiting[Math.Min(_waiting.Count, ContinuityRoutes.MaxPublished)];
            for (var index = 0; index < batch.Length; index++)
            {
                batch[index] = _waiting.Dequeue();
                _idsWaiting -= IdsOf(batch[index].Request);
            }
            _onTheWay -= batch.Length == 0 ? 1 : 0;
            return batch;
        }
    }

    private static int IdsOf(PublishRequest request) => 1 + (request.With?.Count ?? 0);

    private readonly record struct Waiting(PublishRequest Request, TaskCompletionSource<Publication> Published);
}
