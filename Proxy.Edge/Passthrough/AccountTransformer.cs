using Microsoft.AspNetCore.Http.Features;
using Proxy.Accounts.Contracts;
using Proxy.Edge.Protocol;
using Proxy.Edge.Turns;
using Proxy.Edge.Upstream;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Edge.Passthrough;

/// <summary>YARP's transforms for one request to an account: our header policy, its credential, and what it mints.</summary>
/// <param name="minting">If the answer mints an id: under which that is kept.</param>
/// <param name="revealsFiles">Whether it may name files that are its caller's from then on.</param>
internal sealed class AccountTransformer(AdmittedAccount account, string path, AcceptedRequest accepted, TurnAttempt? minting, bool revealsFiles, TurnEvents events, int maxAnswerBytes) : HttpTransformer
{
    private bool IsRead => minting is not null || revealsFiles;

    public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.RequestUri = UpstreamRequests.AddressOf(account, path, httpContext.Request.QueryString);
        HeaderPolicy.CopyUpstream(httpContext.Request.Headers, proxyRequest);
        if (proxyRequest.Content is { } content)
        {
            content.Headers.ContentLength = httpContext.Request.ContentLength;
        }
        if (IsRead)
        {
            // The answer is read on its way.
            proxyRequest.Headers.Remove("Accept-Encoding");
            proxyRequest.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        }
        UpstreamRequests.Authenticate(proxyRequest.Headers, account);
        return ValueTask.CompletedTask;
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
        {
            return true;
        }
        if (IsRead)
        {
            await proxyResponse.Content.LoadIntoBufferAsync(maxAnswerBytes, cancellationToken);
            var answer = await proxyResponse.Content.ReadAsByteArrayAsync(cancellationToken);
            if (revealsFiles)
            {
                await events.RevealAsync(accepted, account, RevealedFiles.Read(answer));
            }
            else if (minting is not null)
            {
                await events.EndJsonAsync(minting, (int)proxyResponse.StatusCode, ResponseFactsReader.Read(answer));
            }
        }
        if (proxyResponse.StatusCode == System.Net.HttpStatusCode.Unauthorized)
        {
            // Our credential was refused, not the client's.
            await Errors.UpstreamRefusedCredential.WriteAsync(httpContext);
            return false;
        }
        if ((int)proxyResponse.StatusCode is >= 300 and < 400 and not StatusCodes.Status304NotModified)
        {
            // A client would follow it past us.
            await Errors.NoResponse.WriteAsync(httpContext);
            return false;
        }
        httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        HeaderPolicy.CopyDownstream(proxyResponse, httpContext.Response.Headers);
        return true;
    }
}
