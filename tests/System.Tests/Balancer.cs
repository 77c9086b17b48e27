namespace WholeSystem;

/// <summary>Sends to edges that say they are ready, in turn, as a load balancer does.</summary>
public sealed class Balancer(RunningSystem system, int edges)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    private readonly bool[] _ready = [.. Enumerable.Repeat(true, edges)];
    private int _next;

    public bool IsReady(int edge) => Volatile.Read(ref _ready[edge]);

    /// <summary>The next edge; any, if none is ready.</summary>
    public int Pick()
    {
        var edge = 0;
        for (var tries = 0; tries < edges; tries++)
        {
            edge = (int)((uint)Interlocked.Increment(ref _next) % edges);
            if (IsReady(edge))
            {
                break;
            }
        }
        return edge;
    }

    /// <summary>Follows the edges' readiness until it is canceled.</summary>
    public Task WatchAsync(CancellationToken cancellationToken) => Task.WhenAll(Enumerable.Range(0, edges).Select(edge => WatchAsync(edge, cancellationToken)));

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
            using var answer = await http.GetAsync(new Uri(system.Host.AddressOf(edge), "/health"), CancellationToken.None);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception away) when (away is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }
}
