using Npgsql;
using Proxy.Continuity.Contracts;
using Proxy.Continuity.Sessions;
using StackExchange.Redis;

namespace Proxy.Continuity.Owners;

/// <summary>
/// Finds owners: by the aliases in Redis, then by the record of the asking scope's session, then in Postgres, and never says "unknown" while one of them could not be asked. What is only a preference
/// (a turn state, who has encrypted something) is in Redis only, and where that is away it is just unknown.
/// </summary>
internal sealed partial class OwnerLookup(
    OwnerAliases aliases, SessionRecords sessions, OwnerHistory history, LastingOwners lasting, ContinuityMetrics metrics, ILogger<OwnerLookup> logger)
{
    private static readonly TimeSpan HistoryBound = TimeSpan.FromSeconds(2);

    /// <summary>The answers to a request; null when one of its ids could not be looked up.</summary>
    public async Task<ResolveResponse?> ResolveAsync(ResolveRequest request, CancellationToken cancellationToken)
    {
        var (found, latest, scope) = await AskRedisAsync(request);
        var missing = request.Ids.Where((id, index) => (found?[index] ?? latest?[index]) is null && IsInPostgres(id)).ToArray();
        var remembered = missing.Length == 0 ? Nothing : await AskPostgresAsync(missing, request.SessionId, cancellationToken);

        var answers = new ResolvedOwner[request.Ids.Count];
        for (var index = 0; index < answers.Length; index++)
        {
            var id = request.Ids[index];
            var (owner, source) = found?[index] is { } alias ? (alias, "redis")
                : latest?[index] is { } known ? (known, "session")
                : (remembered?.GetValueOrDefault(id.Id), "postgres");
            // Redis away and Postgres without the row: the alias may be there and its row still on the way.
            if (owner is null && !OwnedKinds.IsPreference(id.Kind) && (found is null || remembered is null))
            {
                metrics.CountResolution("none", "failed");
                return null;
            }
            answers[index] = Answer(id, owner, source, request.KeyId);
            metrics.CountResolution(answers[index].Source ?? "none", answers[index].Outcome.ToString().ToLowerInvariant());
        }
        await RestoreAliasesAsync(answers);
        return new ResolveResponse(answers, scope?.AccountId, scope?.Domain);
    }

    private static IReadOnlyDictionary<string, OwnerRecord> Nothing { get; } = new Dictionary<string, OwnerRecord>();

    // An id is a stranger's text: one with NUL is in no row, and Postgres would refuse the whole question for it.
    private static bool IsInPostgres(OwnedId id) => !OwnedKinds.IsPreference(id.Kind) && !id.Id.Contains('\0', StringComparison.Ordinal);

    private static ResolvedOwner Answer(OwnedId id, OwnerRecord? owner, string source, string keyId) => owner switch
    {
        null => new(id, OwnerOutcome.Unknown, null, null),
        _ when owner.KeyId != keyId && !OwnedKinds.IsShared(id.Kind) => new(id, OwnerOutcome.Foreign, null, source),
        _ => new(id, OwnerOutcome.Owner, owner, source),
    };

    private async Task<(OwnerRecord?[]? Owners, OwnerRecord?[]? Latest, ScopeAlias? Scope)> AskRedisAsync(ResolveRequest request)
    {
        try
        {
            var latest = request.Session is { } session && request.Ids.Count > 0 && SessionRecords.IsName(session)
                ? sessions.OwnersOfAsync(session, request.Ids, request.SessionId)
                : Task.FromResult<OwnerRecord?[]>(new OwnerRecord?[request.Ids.Count]);
            var (owners, scope) = await aliases.FindAsync(request.Ids, request.KeyId, request.Scope);
            return (owners, await latest, scope);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            LogStoreAway("Redis", exception.GetType().Name);
            return (null, null, null);
        }
    }

    private async Task<IReadOnlyDictionary<string, OwnerRecord>?> AskPostgresAsync(OwnedId[] ids, string? sessionId, CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(HistoryBound);
        try
        {
            var owners = new Dictionary<string, OwnerRecord>(StringComparer.Ordinal);
            foreach (var kinds in ids.ToLookup(id => id.Kind == OwnedKinds.Item ? OwnedKinds.Item : OwnedKinds.IsLasting(id.Kind) ? OwnedKinds.Other : OwnedKinds.Response))
            {
                string[] asked = [.. kinds.Select(id => id.Id).Distinct()];
                var found = await (kinds.Key switch
                {
                    OwnedKinds.Item => history.FindByItemsAsync(asked, sessionId, bound.Token),
                    OwnedKinds.Other => lasting.FindAsync(asked, bound.Token),
                    _ => history.FindAsync(asked, sessionId, bound.Token),
                });
                foreach (var (id, owner) in found)
                {
                    owners[id] = owner;
                }
            }
            return owners;
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogStoreAway("Postgres", exception.GetType().Name);
            return null;
        }
    }

    // What an alias had to answer is put back, so that it is asked once per id and not once per follow-up.
    private async Task RestoreAliasesAsync(ResolvedOwner[] answers)
    {
        foreach (var answer in answers)
        {
            if (answer is not { Source: "postgres" or "session", Owner: { } owner })
            {
                continue;
            }
            try
            {
                await aliases.PublishAsync(new PublishRequest(answer.Id, owner, Scope: null));
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException)
            {
                LogStoreAway("Redis", exception.GetType().Name);
                return;
            }
        }
    }

    [LoggerMessage(100, LogLevel.Warning, "{Store} could not be asked for an owner ({Error})")]
    private partial void LogStoreAway(string store, string error);
}
