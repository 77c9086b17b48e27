using System.Text;
using Benchmarks.Upstream;

namespace Benchmarks.Load;

/// <summary>The requests of the load for one address, encoded once.</summary>
internal sealed class Requests
{
    private const string Input = "Write the next line of this, and nothing else: one, two, three, four, five, six, seven, eight.";

    private readonly string _head;
    private readonly byte[] _followUp;
    private readonly int _anchor;

    public Requests(Uri address, string key)
    {
        _head = $"Host: {address.Authority}\r\nAuthorization: Bearer {key}\r\n";
        Json = Post(Body(TurnKind.Json, stream: false));
        Burst = Post(Body(TurnKind.Burst, stream: true));
        Paced = Post(Body(TurnKind.Paced, stream: true));
        Silent = Post(Body(TurnKind.Silent, stream: true));
        _followUp = Post(Body(TurnKind.Json, stream: false, Template.Id));
        _anchor = _followUp.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Template.Id));
        Handshake = Encoding.ASCII.GetBytes(
            $"GET /v1/responses HTTP/1.1\r\n{_head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOpenAI-Beta: responses_websockets=2026-02-06\r\n\r\n");
        // What Codex sends, without its tools.
        Frame = SocketClientConnection.Frame(
            $$"""{"type":"response.create","model":"{{TurnKind.Burst.Model()}}","instructions":"You are a coding agent.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"{{Input}}"}]}],"tools":[],"tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"]}""");
    }

    public byte[] Json { get; }

    public byte[] Burst { get; }

    public byte[] Paced { get; }

    public byte[] Silent { get; }

    /// <summary>Opens a WebSocket.</summary>
    public byte[] Handshake { get; }

    /// <summary>A turn over a WebSocket.</summary>
    public byte[] Frame { get; }

    /// <summary>A JSON turn that continues the response of another one's answer; valid until the next call.</summary>
    public ReadOnlySpan<byte> FollowUp(ReadOnlySpan<byte> answer)
    {
        var at = answer.IndexOf("\"resp_"u8);
        if (at < 0)
        {
            throw new IOException("An answer without an id.");
        }
        answer.Slice(at + 1, ResponseIds.Length).CopyTo(_followUp.AsSpan(_anchor));
        return _followUp;
    }

    private static string Body(TurnKind kind, bool stream, string? anchor = null)
    {
        var previous = anchor is null ? "" : $",\"previous_response_id\":\"{anchor}\"";
        return $$"""{"model":"{{kind.Model()}}","instructions":"Be brief.","input":"{{Input}}","stream":{{(stream ? "true" : "false")}}{{previous}}}""";
    }

    private byte[] Post(string body) => Encoding.ASCII.GetBytes(
        $"POST /v1/responses HTTP/1.1\r\n{_head}Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
}
