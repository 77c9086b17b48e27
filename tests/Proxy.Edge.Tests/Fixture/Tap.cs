using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Testing;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>What one edge asks of another.</summary>
internal sealed record Tapped(string Method, string Path, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body)
{
    public string? Header(string name) => Headers.FirstOrDefault(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>Sends the same, or what has been made of it, to an edge.</summary>
    public async Task<(int Status, string Body)> SendToAsync(RunningEdge edge)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false, RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 }) { BaseAddress = new Uri(edge.Origin), Timeout = TimeSpan.FromSeconds(15) };
        using var request = new HttpRequestMessage(new HttpMethod(Method), Path) { Content = new ByteArrayContent(Body) };
        foreach (var (name, value) in Headers.Where(header => header.Key is not ("Host" or "Content-Length" or "Transfer-Encoding")))
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }
        using var response = await http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}

/// <summary>
/// Stands at the address that an edge gives to the others: hands on what they send, or does in its stead what an edge in trouble would.
/// </summary>
internal sealed class Tap : IAsyncDisposable
{
    private const string Turns = "/internal/sessions/turns";

    private readonly WebApplication _app;
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
    private readonly CancellationTokenSource _over = new();
    private Task _leaving = Task.CompletedTask;

    public Tap()
    {
        Address = $"http://127.0.0.1:{FreePorts.InARow(1)}";
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address);
        builder.Services.AddHttpForwarder();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        _app = builder.Build();
    }

    public string Address { get; }

    /// <summary>Where to; null: nobody is there, and every request hangs.</summary>
    public RunningEdge? Edge { get; set; }

    /// <summary>Where forwarded turns go instead.</summary>
    public RunningEdge? TurnsGo { get; set; }

    /// <summary>The status that forwarded turns get instead.</summary>
    public HttpStatusCode? TurnsGet { get; set; }

    /// <summary>The status that everything else gets instead.</summary>
    public HttpStatusCode? OthersGet { get; set; }

    /// <summary>Whether the connection of a forwarded turn breaks.</summary>
    public bool CutsTurns { get; set; }

    /// <summary>What the stream of a forwarded turn brings before it falls silent; null: it does not.</summary>
    public string? TurnsFallSilentAfter { get; set; }

    /// <summary>Whether nobody listens here any more when a question has been answered.</summary>
    public bool LeavesOnceAsked { get; set; }

    public ConcurrentQueue<Tapped> Seen { get; } = new();

    public IEnumerable<Tapped> SeenTurns => Seen.Where(one => one.Path.StartsWith(Turns, StringComparison.Ordinal));

    public static async Task<Tap> StartAsync()
    {
        var tap = new Tap();
        tap._app.Run(tap.HandleAsync);
        await tap._app.StartAsync();
        return tap;
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _leaving;
        await _app.StopAsync();
        await _app.DisposeAsync();
        _http.Dispose();
        _over.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        context.Request.EnableBuffering();
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        context.Request.Body.Position = 0;
        Seen.Enqueue(new Tapped(context.Request.Method, context.Request.Path + context.Request.QueryString.ToUriComponent(),
            [.. context.Request.Headers.SelectMany(header => header.Value, (header, value) => KeyValuePair.Create(header.Key, value ?? ""))], body.ToArray()));
        if (CutsTurns && context.Request.Path == Turns)
        {
            context.Abort();
            return;
        }
        if (TurnsFallSilentAfter is { } text && context.Request.Path == Turns)
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await context.Response.WriteAsync(text);
            await HangAsync(context);
            return;
        }
        if (LeavesOnceAsked)
        {
            _leaving = _app.StopAsync();
            await Eventually.TrueAsync(async () => !await ListensAsync());
            context.Response.Headers.Connection = "close";
        }
        if ((context.Request.Path == Turns ? TurnsGet : OthersGet) is { } status)
        {
            context.Response.StatusCode = (int)status;
            return;
        }
        if ((context.Request.Path == Turns ? TurnsGo : null) is { } other)
        {
            await _app.Services.GetRequiredService<IHttpForwarder>().SendAsync(context, other.Origin, _http, ForwarderRequestConfig.Empty);
            return;
        }
        if (Edge is { } edge)
        {
            await _app.Services.GetRequiredService<IHttpForwarder>().SendAsync(context, edge.Origin, _http, ForwarderRequestConfig.Empty);
            return;
        }
        await HangAsync(context);
    }

    private async Task HangAsync(HttpContext context)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _over.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<bool> ListensAsync()
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, new Uri(Address).Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
