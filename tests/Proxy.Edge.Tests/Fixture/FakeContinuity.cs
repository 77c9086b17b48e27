using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>The continuity service: keeps owners in memory unless told otherwise.</summary>
internal sealed class FakeContinuity : FakeService
{
    private readonly ConcurrentDictionary<string, OwnerRecord> _owners = new();
    private readonly ConcurrentDictionary<string, (string AccountId, string Domain)> _scopes = new();
    private readonly ConcurrentDictionary<RejectAnchorRequest, bool> _rejected = new();

    /// <summary>Sessions and the claims on them.</summary>
    public FakeSessions Sessions { get; } = new();

    public ConcurrentQueue<ResolveRequest> Resolved { get; } = new();

    /// <summary>Publications that were acknowledged.</summary>
    public ConcurrentQueue<PublishRequest> Published { get; } = new();

    /// <summary>False for a service of before there were any.</summary>
    public bool TakesBatches { get; set; } = true;

    /// <summary>How many publications came in each call of those that take several.</summary>
    public ConcurrentQueue<int> Batches { get; } = new();

    /// <summary>Anchors of which a client was about to be told that they are dead.</summary>
    public ConcurrentQueue<RejectAnchorRequest> Rejected { get; } = new();

    /// <summary>Rows that were acknowledged.</summary>
    public ConcurrentQueue<RequestLogRow> Rows { get; } = new();

    /// <summary>Answers a lookup; null is 503.</summary>
    public Func<ResolveRequest, Task<ResolveResponse?>> OnResolve { get; set; }

    /// <summary>Answers a publication by a status.</summary>
    public Func<PublishRequest, Task<int>> OnPublish { get; set; } = _ => Task.FromResult(204);

    /// <summary>Answers an intake by a status.</summary>
    public Func<IntakeRequest, Task<int>> OnIntake { get; set; } = _ => Task.FromResult(200);

    /// <summary>Whether rejected anchors cannot be asked after: 503.</summary>
    public bool ForgetsRejections { get; set; }

    public FakeContinuity() => OnResolve = request => Task.FromResult<ResolveResponse?>(Resolve(request));

    /// <summary>The default lookup.</summary>
    public ResolveResponse Resolve(ResolveRequest request)
    {
        var owners = request.Ids.Select(id => Answer(id, request)).ToArray();
        return request.Scope is { } scope && _scopes.TryGetValue($"{request.KeyId} {scope}", out var served)
            ? new ResolveResponse(owners, served.AccountId, served.Domain)
            : new ResolveResponse(owners, null);
    }

    /// <summary>Gives an id an owner.</summary>
    public void Own(string id, string account, string keyId = "key-1", string? domain = null, bool stored = true, string? session = null) =>
        _owners[id] = new OwnerRecord(keyId, $"acc-{account}", domain ?? $"dom-{account}", null, stored, null, session);

    /// <summary>Takes an id's owner away.</summary>
    public void Disown(string id) => _owners.TryRemove(id, out _);

    /// <summary>Gives a scope an account.</summary>
    public void Bind(string scope, string account, string keyId = "key-1", string? domain = null) =>
        _scopes[$"{keyId} {scope}"] = ($"acc-{account}", domain ?? $"dom-{account}");

    /// <summary>Forgets all there was.</summary>
    public void Forget()
    {
        _owners.Clear();
        _scopes.Clear();
        _rejected.Clear();
        Resolved.Clear();
        Published.Clear();
        Rejected.Clear();
        Rows.Clear();
        Sessions.Forget();
    }

    public OwnerRecord? OwnerOf(string id) => _owners.GetValueOrDefault(id);

    protected override void Map(WebApplication app)
    {
        MapInternal(app, ContinuityRoutes.Resolve, ContinuityJson.Default.ResolveRequest, async (context, request) =>
        {
            Resolved.Enqueue(request);
            await WriteAsync(context, await OnResolve(request), ContinuityJson.Default.ResolveResponse);
        });
        MapInternal(app, ContinuityRoutes.Publish, ContinuityJson.Default.PublishRequest, async (context, request) => context.Response.StatusCode = await PublishAsync(request));
        MapInternal(app, ContinuityRoutes.PublishMany, ContinuityJson.Default.PublishManyRequest, async (context, request) =>
        {
            if (!TakesBatches)
            {
                context.Response.StatusCode = 404;
                return;
            }
            Batches.Enqueue(request.Requests.Count);
            await WriteAsync(context, new PublishManyResponse(await Task.WhenAll(request.Requests.Select(PublishAsync))), ContinuityJson.Default.PublishManyResponse);
        });
        MapInternal(app, ContinuityRoutes.RejectAnchor, ContinuityJson.Default.RejectAnchorRequest, async (context, request) =>
        {
            Rejected.Enqueue(request);
            await WriteAsync(context, ForgetsRejections ? null : new RejectAnchorResponse(!_rejected.TryAdd(request, true)), ContinuityJson.Default.RejectAnchorResponse);
        });
        MapInternal(app, ContinuityRoutes.ClaimSession, ContinuityJson.Default.ClaimSessionRequest, async (context, request) =>
        {
            Sessions.Claimed.Enqueue(request);
            await WriteAsync(context, await Sessions.OnClaim(request), ContinuityJson.Default.ClaimSessionResponse);
        });
        MapInternal(app, ContinuityRoutes.FindSession, ContinuityJson.Default.FindSessionRequest, async (context, request) =>
        {
            Sessions.Found.Enqueue(request);
            await WriteAsync(context, await Sessions.OnFind(request), ContinuityJson.Default.FindSessionResponse);
        });
        MapInternal(app, ContinuityRoutes.WriteSession, ContinuityJson.Default.WriteSessionRequest, async (context, request) =>
        {
            Sessions.Written.Enqueue(request);
            context.Response.StatusCode = await Sessions.OnWrite(request);
        });
        MapInternal(app, ContinuityRoutes.RenewSessions, ContinuityJson.Default.RenewSessionsRequest, async (context, request) =>
        {
            Sessions.Renewed.Enqueue(request);
            await WriteAsync(context, await Sessions.OnRenew(request), ContinuityJson.Default.RenewSessionsResponse);
        });
        MapInternal(app, ContinuityRoutes.ReleaseSessions, ContinuityJson.Default.ReleaseSessionsRequest, async (context, request) =>
        {
            context.Response.StatusCode = await Sessions.OnRelease(request);
            Sessions.Released.Enqueue(request);
        });
        MapInternal(app, ContinuityRoutes.RequestLogs, ContinuityJson.Default.IntakeRequest, async (context, request) =>
        {
            context.Response.StatusCode = await OnIntake(request);
            if (context.Response.StatusCode == 200)
            {
                request.Rows.ToList().ForEach(Rows.Enqueue);
                await WriteAsync(context, new IntakeResponse(0), ContinuityJson.Default.IntakeResponse);
            }
        });
    }

    private ResolvedOwner Answer(OwnedId id, ResolveRequest request) => _owners.TryGetValue(id.Id, out var owner)
        ? owner.KeyId == request.KeyId || OwnedKinds.IsShared(id.Kind) ? new(id, OwnerOutcome.Owner, owner, "redis") : new(id, OwnerOutcome.Foreign, null, "redis")
        : request.Session is { } session && Sessions.OwnerOf(session, request.KeyId, id) is { } latest ? new(id, OwnerOutcome.Owner, latest, "session")
        : new(id, OwnerOutcome.Unknown, null, null);

    private async Task<int> PublishAsync(PublishRequest request)
    {
        if (await OnPublish(request) is var status && status != 204)
        {
            return status;
        }
        if (request.Claim is { } claim && !Sessions.IsCurrent(claim))
        {
            return 412;
        }
        foreach (var id in (OwnedId[])[request.Id, .. request.With ?? []])
        {
            _owners.TryAdd(id.Id, request.Owner);
        }
        if (request.Scope is { } scope)
        {
            _scopes[$"{request.Owner.KeyId} {scope}"] = (request.Owner.AccountId, request.Owner.Domain);
        }
        Published.Enqueue(request);
        return 204;
    }
}
