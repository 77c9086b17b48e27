using System.Buffers;
using System.Text;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Routing;

/// <summary>
/// Names of lanes: 1 to 256 of <c>A-Z a-z 0-9 _ . -</c>. For an upstream without lanes the name is taken out of frames
/// on their way up and put into events on their way down.
/// </summary>
internal static class StreamIds
{
    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    public static bool IsValid(string streamId) => streamId.Length is >= 1 and <= 256 && !streamId.AsSpan().ContainsAnyExcept(Allowed);

    /// <summary>
    /// The frame without its <c>stream_id</c>, every other byte as it was:
    /// <code>{"type":"response.create","stream_id":"a","model":"m"}  ->  {"type":"response.create","model":"m"}</code>
    /// </summary>
    public static byte[] Strip(ReadOnlySpan<byte> frame) => JsonSplices.DropField(frame, "stream_id");

    /// <summary>
    /// The event with a <c>stream_id</c> in front; a valid one needs no escaping:
    /// <code>{"type":"response.created",...}  ->  {"stream_id":"a","type":"response.created",...}</code>
    /// </summary>
    public static byte[] Insert(ReadOnlySpan<byte> json, string streamId) => JsonSplices.Insert(json, Encoding.ASCII.GetBytes($"\"stream_id\":\"{streamId}\""));
}
