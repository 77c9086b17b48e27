using System.Net;

namespace Proxy.Edge.Upstream;

/// <summary>A body that says when it has left: sending gives back only an answer's headers, and those may come long after.</summary>
internal sealed class WatchedContent(ReadOnlyMemory<byte> body, Action sent) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(body, cancellationToken);
        // Upstream begins to work when it has the last of it.
        await stream.FlushAsync(cancellationToken);
        sent();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = body.Length;
        return true;
    }
}
