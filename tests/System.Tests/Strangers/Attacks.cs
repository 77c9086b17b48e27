using System.IO.Compression;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;

namespace WholeSystem.Strangers;

/// <summary>What a tenant, or a stranger without any key, can do to make a gateway work for nothing: each is one round, made over and over.</summary>
internal static class Attacks
{
    /// <summary>What a turn says that is to hold its slot for some time.</summary>
    public const string TakesASlot = "takes a slot";

    private static readonly byte[] LargeBody = Encoding.UTF8.GetBytes($"{{\"input\":\"{new string('x', AttackedSystem.MaxRequestBytes - 1024)}");
    private static readonly byte[] PackedSpaces = Pack(new string(' ', 32 << 20));
    // The same file over and over, in a kilobyte.
    private static readonly byte[] PackedFiles = Pack($"{{\"model\":\"gpt-5.6\",\"input\":[{string.Join(',', Enumerable.Repeat("""{"type":"input_file","file_id":"file-1"}""", 150_000))}]}}");

    public static IReadOnlyDictionary<string, Func<AttackedSystem, Task>> All { get; } = new Dictionary<string, Func<AttackedSystem, Task>>
    {
        ["headers of 29 kB"] = system => PostAsync(system, Encoding.UTF8.GetBytes("""{"model":"gpt-5.6","input":"x","store":false}"""), ("thread-id", new string('t', 29_000))),
        ["refused frames"] = RefusedFramesAsync,
        ["bodies as large as may be"] = system => PostAsync(system, LargeBody),
        ["compressed bombs"] = system => PostAsync(system, PackedSpaces, ("Content-Encoding", "br")),
        ["messages that never end"] = UnendedMessageAsync,
        ["a body that is much work"] = system => PostAsync(system, PackedFiles, ("Content-Encoding", "br")),
        ["every slot"] = system => Task.WhenAll(Enumerable.Range(0, 4).Select(_ =>
            PostAsync(system, Encoding.UTF8.GetBytes($$"""{"model":"gpt-5.6","input":"{{TakesASlot}}","stream":true,"store":false}""")))),
        ["keys that do not exist"] = system => SendAsync(system, HttpMethod.Get, "/v1/responses/resp_1", $"cp-{Guid.CreateVersion7():N}", Expected.Unauthorized),
        ["sockets opened and left"] = OpenedAndLeftAsync,
        ["forms and strange paths"] = system => SendAsync(system, HttpMethod.Post, "/v1/vector_stores/vs_1%2f..%2f..%2fadmin/files/..%5cx", AttackedSystem.Attacker, Expected.NotFound),
        ["no key, from behind a proxy"] = system => SendAsync(system, HttpMethod.Get, "/v1/models", null, Expected.Unauthorized, ("Via", "1.1 proxy")),
        ["guesses of the admin token"] = system => SendAsync(system, HttpMethod.Get, "/admin/v1/accounts", $"guess-{Guid.CreateVersion7():N}", Expected.Refused),
        ["internal routes"] = system => SendAsync(system, HttpMethod.Post, "/internal/drain", AttackedSystem.Attacker, Expected.NotFound),
    };

    private static Task PostAsync(AttackedSystem system, byte[] body, params (string Name, string Value)[] headers) =>
        SendAsync(system, HttpMethod.Post, "/v1/responses", AttackedSystem.Attacker, Expected.Any, body, headers);

    private static Task SendAsync(AttackedSystem system, HttpMethod method, string path, string? key, int[] expected, params (string Name, string Value)[] headers) =>
        SendAsync(system, method, path, key, expected, null, headers);

    private static async Task SendAsync(AttackedSystem system, HttpMethod method, string path, string? key, int[] expected, byte[]? body, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient(new SocketsHttpHandler { MaxResponseHeadersLength = 64 });
        using var request = new HttpRequestMessage(method, new Uri(system.Address.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (key is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
        }
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content!.Headers.TryAddWithoutValidation(name, value);
            }
        }
        try
        {
            using var response = await client.SendAsync(request);
            await response.Content.ReadAsByteArrayAsync();
            Assert.True(expected.Length == 0 || expected.Contains((int)response.StatusCode), $"{path}: {response.StatusCode}");
        }
        catch (HttpRequestException)
        {
            // Whoever is refused while he is still sending may find his connection closed.
        }
    }

    private static async Task RefusedFramesAsync(AttackedSystem system)
    {
        using var client = new ApiClient(system.Address, AttackedSystem.Attacker);
        using var socket = await client.ConnectAsync();
        for (var frame = 0; frame < 3_000 && socket.Socket.State == WebSocketState.Open; frame++)
        {
            await socket.SendAsync($$"""{"type":"response.create","input":"{{frame}}","stream_id":"no good name!"}""");
            if (await socket.ReceiveAsync() is null)
            {
                return;
            }
        }
    }

    // More than its share: the edge reads no further, or ends it.
    private static async Task UnendedMessageAsync(AttackedSystem system)
    {
        using var client = new ApiClient(system.Address, AttackedSystem.Attacker);
        using var socket = await client.ConnectAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            for (var sent = 0; sent < AttackedSystem.MaxRequestBytes; sent += 1 << 20)
            {
                await socket.Socket.SendAsync(LargeBody.AsMemory(0, 1 << 20), WebSocketMessageType.Text, endOfMessage: false, limit.Token);
            }
            await Task.Delay(TimeSpan.FromSeconds(0.5), TimeProvider.System, limit.Token);
        }
        catch (Exception ended) when (ended is OperationCanceledException or WebSocketException)
        {
            // As it should be.
        }
    }

    private static async Task OpenedAndLeftAsync(AttackedSystem system)
    {
        using var client = new ApiClient(system.Address, AttackedSystem.Attacker);
        for (var opened = 0; opened < 20; opened++)
        {
            using var socket = await client.ConnectAsync();
            await socket.SendAsync("""{"type":"response.create","model":"gpt-5.6","input":"left","store":false}""");
        }
    }

    private static byte[] Pack(string text)
    {
        using var packed = new MemoryStream();
        using (var packer = new BrotliStream(packed, CompressionLevel.Fastest))
        {
            packer.Write(Encoding.UTF8.GetBytes(text));
        }
        return packed.ToArray();
    }

    private static class Expected
    {
        public static readonly int[] Any = [];
        public static readonly int[] Unauthorized = [401];
        public static readonly int[] NotFound = [404];
        // Whoever guesses on and on is told to wait.
        public static readonly int[] Refused = [401, 429];
    }
}
