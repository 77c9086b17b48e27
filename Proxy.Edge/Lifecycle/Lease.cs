namespace Proxy.Edge.Lifecycle;

/// <summary>Something that is given back once, by whoever holds it last. <see cref="Move"/> hands it on: the lease it was taken from holds nothing any more.</summary>
/// <param name="giveBack">Called once, with the value.</param>
internal sealed class Lease<T>(T value, Action<T> giveBack) : IDisposable
{
    private Action<T>? _giveBack = giveBack;

    public T Value { get; } = value;

    /// <summary>The lease, for another owner.</summary>
    /// <exception cref="InvalidOperationException">It was given back, or moved, before.</exception>
    public Lease<T> Move() => new(Value, Interlocked.Exchange(ref _giveBack, null) ?? throw new InvalidOperationException("It is not held any more."));

    public void Dispose() => Interlocked.Exchange(ref _giveBack, null)?.Invoke(Value);
}
