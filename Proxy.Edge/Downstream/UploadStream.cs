namespace Proxy.Edge.Downstream;

/// <summary>
/// A request's body as it comes, whose pauses are bounded: agents upload megabytes over poor links, and a link that stalls for seconds is no reason to make them send
/// all of it again; one that has gone silent is.
/// </summary>
internal sealed class UploadStream : Stream
{
    private readonly Stream _inner;
    private readonly TimeSpan _pause;
    private readonly TimeSpan _whole;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _silence;
    private readonly long _begun;

    private UploadStream(Stream inner, TimeSpan pause, TimeSpan whole, TimeProvider time)
    {
        (_inner, _pause, _whole, _time) = (inner, pause, whole, time);
        _silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _begun = time.GetTimestamp();
    }

    /// <summary>The body of a request, bounded by <see cref="EdgeOptions.BodyIdleSeconds"/> and as a whole by <see cref="EdgeOptions.TurnSeconds"/>.</summary>
    public static UploadStream Of(HttpRequest request, EdgeOptions options, TimeProvider time)
    {
        var stream = new UploadStream(request.Body, TimeSpan.FromSeconds(options.BodyIdleSeconds), TimeSpan.FromSeconds(options.TurnSeconds), time);
        request.HttpContext.Response.RegisterForDispose(stream._silence);
        return stream;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <exception cref="BadHttpRequestException">408: nothing has come for too long.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var left = _whole - _time.GetElapsedTime(_begun);
        _silence.CancelAfter(left < TimeSpan.Zero ? TimeSpan.Zero : left < _pause ? left : _pause);
        using var canceled = cancellationToken.UnsafeRegister(static silence => ((CancellationTokenSource)silence!).Cancel(), _silence);
        try
        {
            return await _inner.ReadAsync(buffer, _silence.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested && _silence.IsCancellationRequested)
        {
            throw new BadHttpRequestException("The body has paused for too long.", StatusCodes.Status408RequestTimeout);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
