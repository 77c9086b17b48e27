using Microsoft.Extensions.Options;
using Proxy.Edge.Protocol;
using ServiceDefaults.Http;

namespace Proxy.Edge.Downstream;

/// <summary>Reads a JSON body whole, bounded as it comes and once more when decompressed: a few bytes may unfold to gigabytes.</summary>
internal sealed class RequestBodyReader(IOptions<EdgeOptions> options, MemoryBudget budget, TimeProvider time)
{
    private const int MinReadBytes = 4 << 10;
    private const int MostReservedBytes = 1 << 20;

    // No text that somebody means unfolds like this; what does is made to cost more than it costs its sender.
    private const int MostRatio = 1000;
    private const int AnyRatioBytes = 1 << 20;

    /// <summary>The decompressed body, or the error to answer.</summary>
    /// <param name="keyId">Whose share of the memory it is read into.</param>
    /// <param name="takesForms">Whether it may be a form instead.</param>
    /// <exception cref="OperationCanceledException">The client left.</exception>
    public async Task<(PooledBody? Body, ApiError? Error)> ReadAsync(HttpRequest request, string keyId, bool takesForms = false)
    {
        if (!IsJson(request.ContentType) && !(takesForms && FormScanner.IsForm(request.ContentType)))
        {
            return (null, Errors.UnsupportedMediaType);
        }
        if (request.ContentLength > options.Value.MaxRequestBytes)
        {
            return (null, Errors.TooLarge(options.Value.MaxRequestBytes));
        }
        var raw = new BoundedStream(UploadStream.Of(request, options.Value, time), options.Value.MaxRequestBytes);
        if (ContentCodings.Decode(request.Headers.ContentEncoding.ToString(), raw) is not { } stream)
        {
            return (null, Errors.UnsupportedEncoding);
        }
        var body = new PooledBody(MinReadBytes, budget.Of(keyId));
        try
        {
            if (!body.TryReserve((int)Math.Clamp(request.ContentLength ?? 0, MinReadBytes, MostReservedBytes) + 1))
            {
                body.Dispose();
                return (null, Errors.NoMemory);
            }
            await using (stream)
            {
                var error = await FillAsync(body, stream, raw, options.Value.MaxDecompressedBytes, request.HttpContext.RequestAborted);
                error ??= raw.IsExceeded ? Errors.TooLarge(options.Value.MaxRequestBytes) : null;
                if (error is null)
                {
                    return (body, null);
                }
                body.Dispose();
                return (null, error);
            }
        }
        catch (Exception exception) when (stream != raw && ContentCodings.IsBroken(exception))
        {
            body.Dispose();
            return (null, raw.IsExceeded ? Errors.TooLarge(options.Value.MaxRequestBytes) : Errors.BrokenEncoding);
        }
        catch (BadHttpRequestException exception)
        {
            body.Dispose();
            return (null, Errors.BrokenBody(exception, options.Value.BodyIdleSeconds));
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private static async Task<ApiError?> FillAsync(PooledBody body, Stream stream, BoundedStream raw, int most, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (!body.TryReserve(1))
            {
                return Errors.NoMemory;
            }
            var read = await stream.ReadAsync(body.GetMemory(), cancellationToken);
            if (read == 0)
            {
                return null;
            }
            body.Advance(read);
            if (body.Length > most)
            {
                return Errors.TooLarge(most);
            }
            if (body.Length > AnyRatioBytes && body.Length / MostRatio > raw.Length)
            {
                return Errors.UnfoldsTooFar;
            }
        }
    }

    // An absent content type is JSON too: curl -d sends a form's type unless told otherwise, and gets told.
    private static bool IsJson(string? contentType) =>
        contentType is null || contentType.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) || contentType.Contains("+json", StringComparison.OrdinalIgnoreCase);

    /// <summary>Ends a stream at a number of bytes, and remembers that it did.</summary>
    private sealed class BoundedStream(Stream inner, long most) : Stream
    {
        private long _read;

        public bool IsExceeded { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        /// <summary>Bytes read so far.</summary>
        public override long Length => _read;

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Count(await inner.ReadAsync(buffer, cancellationToken));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are read asynchronously.");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private int Count(int read)
        {
            _read += read;
            if (_read <= most)
            {
                return read;
            }
            IsExceeded = true;
            return 0;
        }
    }
}
