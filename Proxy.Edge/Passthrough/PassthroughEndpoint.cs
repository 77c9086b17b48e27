using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using Proxy.Continuity.Contracts;
using Proxy.Edge.Callers;
using Proxy.Edge.Clients;
using Proxy.Edge.Downstream;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using ServiceDefaults.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Edge.Passthrough;

/// <summary>Routes that pass through YARP's forwarder: who asks, whose the named ids are, which account answers, and then the bytes as they are.</summary>
internal sealed class PassthroughEndpoint(
    CallerAuthentication callers, KeyWatch keys, RequestBodyReader bodies, TurnJournal journal, OwnerResolution owners, TurnEvents events,
    AccountsClient accounts, UpstreamHandlers handlers, IHttpForwarder forwarder, IOptions<EdgeOptions> options, IOptions<ContinuityOptions> continuity, TimeProvider time)
{
    public async Task HandleAsync(HttpContext context, PassthroughRoute route)
    {
        var (caller, error) = await callers.IdentifyAsync(context);
        if (caller is null)
        {
            await error!.WriteAsync(context);
            return;
        }
        if (RoutePath.Of(route.Pattern, context.Request.RouteValues) is not { } path)
        {
            await NoSuchPath(context, route).WriteAsync(context);
            return;
        }
        PooledBody? body = null;
        var request = new TurnRequest();
        var hasBody = context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true;
        var isForm = FormScanner.IsForm(context.Request.ContentType);
        if (hasBody && !(isForm && route.Forms == FormUse.Passed))
        {
            // Whatever its type says: an id in a body that upstream reads must have been checked.
            (body, error) = await bodies.ReadAsync(context.Request, caller.KeyId, takesForms: route.Forms == FormUse.Read);
            if (body is { Length: > 0 })
            {
                (var scanned, error) = isForm ? FormScanner.Scan(body.Span, context.Request.ContentType) : TurnRequestScanner.Scan(body.Span);
                request = scanned ?? request;
            }
        }
        else if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = options.Value.MaxUploadBytes;
        }
        if (hasBody && body is null && error is null)
        {
            context.Request.Body = UploadStream.Of(context.Request, options.Value, time);
        }
        using (body)
        {
            error ??= await ForwardAsync(context, route, path, caller, request, body);
            if (error is not null)
            {
                await error.WriteAsync(context);
            }
        }
    }

    private async Task<ApiError?> ForwardAsync(HttpContext context, PassthroughRoute route, string path, Caller caller, TurnRequest request, PooledBody? body)
    {
        var accepted = journal.AcceptRequest(request, caller, TurnScope.Of(context.Request.Headers, request), Surfaces.HttpJson) with { Bytes = body?.Length ?? 0, MintedKind = route.Kind };
        var (account, resolution, error) = await FindAccountAsync(context, route, accepted);
        if (account is null)
        {
            return error;
        }
        var minting = route.Use == RouteUse.Mints ? BeginMinting(accepted, resolution, account) : null;
        if (body is not null)
        {
            // Read for the ids it names, and plain by now.
            context.Request.Body = new MemoryStream(body.Memory.ToArray(), writable: false);
            context.Request.ContentLength = body.Length;
            context.Request.Headers.Remove("Content-Encoding");
        }
        using var use = keys.Watch(caller.KeyId, grant => grant.Covers(account.Name, request.Model));
        var config = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(options.Value.IdleSeconds) };
        var failure = await forwarder.SendAsync(context, account.BaseUrl, handlers.For(account.Id), config,
            new AccountTransformer(account, path, accepted, minting, route.RevealsFiles, events, options.Value.MaxEventBytes), use.Ended);
        if (failure == ForwarderError.None || context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
        error = use.Ended.IsCancellationRequested ? Errors.KeyEnded : Explain(context, failure);
        if (minting is not null)
        {
            if (error == Errors.UpstreamUnreachable)
            {
                minting.Response.NoteNotSent();
            }
            await events.EndAsync(minting.Turn, error);
        }
        if (context.Response.HasStarted)
        {
            // The forwarder has cut the connection: the client sees that its answer is not whole.
            return null;
        }
        context.Response.Headers.Clear();
        return error;
    }

    // What mints an id is logged as turns are, so that its owner can be found when all else is lost.
    private static TurnAttempt BeginMinting(AcceptedRequest accepted, Resolution resolution, AdmittedAccount account)
    {
        var turn = new Turn(accepted);
        turn.Resolve(resolution);
        turn.Admit(new Admitted(account));
        var attempt = turn.BeginAttempt();
        attempt.Response.NoteSent();
        return attempt;
    }

    private async Task<(AdmittedAccount? Account, Resolution Resolution, ApiError? Error)> FindAccountAsync(HttpContext context, PassthroughRoute route, AcceptedRequest accepted)
    {
        // The id in the path comes first, so that it is the one that decides.
        OwnedId[] named = route.Use == RouteUse.Owned ? [new OwnedId(route.Kind, (string)context.Request.RouteValues["id"]!)] : [];
        var (found, error) = await owners.ResolveAsync(accepted, [.. named, .. OwnerRoute.DemandsOf(accepted.Request)], context.RequestAborted);
        if (found is not { Route: var owner })
        {
            // GET and DELETE of another key's response are 404, where a turn that continues it is told 400.
            error ??= Errors.OwnerLookupFailed;
            return (null, Resolution.None, named is [var id] && error == Errors.NotFound(id) ? Errors.IdNotFound(id.Kind, id.Id) : error);
        }
        if (route.Use == RouteUse.Owned && owner.Domain is null && continuity.Value.UnknownIds == UnknownIds.Refuse)
        {
            return (null, found, Errors.IdNotFound(named[0].Kind, named[0].Id));
        }
        if (route.Use == RouteUse.Lists)
        {
            var open = await accounts.ListOpenAsync(accepted.Caller.KeyId, context.RequestAborted);
            if (open?.SoleKey != true)
            {
                return (null, found, open is null ? Errors.ServiceUnavailable("accounts") : Errors.NeedsSoleKey);
            }
        }
        var response = await accounts.AdmitAsync(new AdmissionRequest(
            accepted.Id, AdmissionPurpose.Request, accepted.Caller.KeyId, accepted.Request.Model, owner.Domain, owner.PreferredAccountId, null, NeedsWebSockets: false, WaitMs: 0,
            NeedsModel: route.Spends), context.RequestAborted);
        return response?.Account is { } account
            ? (account, found, null)
            : (null, found, Refusals.Explain(response?.Refusal, accepted.Request.Model, time.GetUtcNow()));
    }

    private static ApiError NoSuchPath(HttpContext context, PassthroughRoute route) => route.Use == RouteUse.Owned && context.Request.RouteValues["id"] is string id
        ? Errors.IdNotFound(route.Kind, id)
        : Errors.NotFound(context.Request.Path);

    private ApiError Explain(HttpContext context, ForwarderError failure) => failure switch
    {
        ForwarderError.RequestTimedOut => Errors.UpstreamTimeout,
        ForwarderError.RequestBodyClient when FaultOf(context) is BadHttpRequestException { StatusCode: not StatusCodes.Status413PayloadTooLarge } broken =>
            Errors.BrokenBody(broken, options.Value.BodyIdleSeconds),
        ForwarderError.RequestBodyClient => Errors.TooLarge(options.Value.MaxUploadBytes),
        // Asking again does no harm.
        ForwarderError.Request when !HttpMethods.IsPost(context.Request.Method) || WasNotSent(context) => Errors.UpstreamUnreachable,
        _ => Errors.UpstreamFailedAfterSend,
    };

    private static bool WasNotSent(HttpContext context) => FaultOf(context) is HttpRequestException exception && UpstreamRequests.WasNotSent(exception);

    // YARP wraps what went wrong while it read the body.
    private static Exception? FaultOf(HttpContext context)
    {
        var fault = context.GetForwarderErrorFeature()?.Exception;
        return fault is AggregateException { InnerExceptions: var inner } ? inner.FirstOrDefault(one => one is BadHttpRequestException) ?? fault : fault;
    }
}
