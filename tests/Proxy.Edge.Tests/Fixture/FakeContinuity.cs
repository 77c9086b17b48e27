using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>The continuity service: keeps owners in memory unless told otherwise.</summary>
internal sealed class FakeContinuity : FakeService
{
    private readonly ConcurrentDictionary<string, OwnerRecord> _owners = new();
    private readonly ConcurrentDictionary<string, string> _scopes = new();

    public ConcurrentQueue<ResolveRequest> Resolved { get; } = new();

    /// <summary>Publications that were acknowledged.</summary>
    public ConcurrentQueue<PublishRequest> Published { get; } = new();

    /// <summary>Rows that were acknowledged.</summary>
    public ConcurrentQueue<RequestLogRow> Rows { get; } = new();

    /// <summary>Answers a lookup; null is 503.</summary>
    public Func<ResolveRequest, Task<ResolveResponse?>> OnResolve { get; set; }

    /// <summary>Answers a publication by a status.</summary>
    public Func<PublishRequest, Task<int>> OnPublish { get; set; } = _ => Task.FromResult(204);

    /// <summary>Answers an intake by a status.</summary>
    public Func<IntakeRequest, Task<int>> OnIntake { get; set; } = _ => Task.FromResult(200);

    public FakeContinuity() => OnResolve = request => Task.FromResult<ResolveResponse?>(new ResolveResponse(
        [.. request.Ids.Select(id => Answer(id, request.KeyId))], request.Scope is { } scope ? _scopes.GetValueOrDefault($"{request.KeyId} {scope}") : null));

    /// <summary>Gives an id an owner.</summary>
    public void Own(string id, string account, string keyId = "key-1") => _owners[id] = new OwnerRecord(keyId, $"acc-{account}", $"dom-{account}", null, true, null);

    /// <summary>Gives a scope an account.</summary>
    public void Bind(string scope, string account, string keyId = "key-1") => _scopes[$"{keyId} {scope}"] = $"acc-{account}";

    protected override void Map(WebApplication app)
    {
        MapInternal(app, ContinuityRoutes.Resolve, ContinuityJson.Default.ResolveRequest, async (context, request) =>
        {
            Resolved.Enqueue(request);
            await WriteAsync(context, await OnResolve(request), ContinuityJson.Default.ResolveResponse);
        });
        MapInternal(app, ContinuityRoutes.Publish, ContinuityJson.Default.PublishRequest, async (context, request) =>
        {
            context.Response.StatusCode = await OnPublish(request);
            if (context.Response.StatusCode == 204)
            {
                _owners.TryAdd(request.Id.Id, request.Owner);
                Published.Enqueue(request);
            }
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

    private ResolvedOwner Answer(OwnedId id, string keyId) => _owners.TryGetValue(id.Id, out var owner)
        ? owner.KeyId == keyId ? new(id, OwnerOutcome.Owner, owner, "redis") : new(id, OwnerOutcome.Foreign, null, "redis")
        : new(id, OwnerOutcome.Unknown, null, null);
}
