namespace Testing.Processes;

/// <summary>The edges of a system that say they are ready, to be picked in turn, as a load balancer does.</summary>
public sealed class ReadyEdges(Func<int, Uri> addressOf, int count)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    private readonly bool[] _ready = new bool[count];
    private int _last;

    /// <summary>What the edge said when it was asked last.</summary>
    public bool IsReady(int edge) => Volatile.Read(ref _ready[edge]);

    /// <summary>The next edge that is ready; false if none is, and then it is just the next.</summary>
    public bool TryPick(out int edge)
    {
        for (var tries = 0; tries < count; tries++)
        {
            edge = Next();
            if (IsReady(edge))
            {
                return true;
            }
        }
        edge = Next();
        return false;
    }

    /// <summary>Asks them again and again until it is canceled.</summary>
    public Task WatchAsync(CancellationToken cancellationToken) => Task.WhenAll(Enumerable.Range(0, count).Select(edge => WatchAsync(edge, cancellationToken)));

    private int Next() => (int)((uint)Interlocked.Increment(ref _last) % count);

    private async Task WatchAsync(int edge, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = Limit };
        while (!cancellationToken.IsCancellationRequested)
        {
            Volatile.Write(ref _ready[edge], await IsHealthyAsync(http, edge));
            await Task.Delay(Interval, TimeProvider.System, CancellationToken.None);
        }
    }

    private async Task<bool> IsHealthyAsync(HttpClient http, int edge)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(addressOf(edge), "/health"), CancellationToken.None);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception away) when (away is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }
}
