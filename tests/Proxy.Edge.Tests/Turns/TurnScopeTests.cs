using Microsoft.AspNetCore.Http;
using Proxy.Edge.Owners;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Turns;

public sealed class TurnScopeTests
{
    // Strongest first: taking the strongest away reveals the next.
    private static readonly (string? Header, Func<TurnRequest, TurnRequest>? Body, string Key)[] Names =
    [
        ("x-codex-turn-state", null, "state:v0"),
        (null, request => request with { TurnState = "v1" }, "state:v1"),
        ("thread-id", null, "thread:v2"),
        (null, request => request with { ThreadId = "v3" }, "thread:v3"),
        ("session-id", null, "session:v4"),
        ("session_id", null, "session:v5"),
        (null, request => request with { SessionId = "v6" }, "session:v6"),
        ("x-codex-session-id", null, "session:v7"),
        ("x-codex-conversation-id", null, "conversation:v8"),
        (null, request => request with { PromptCacheKey = "v9" }, "cache:v9"),
    ];

    [Fact]
    public void The_strongest_name_counts()
    {
        for (var strongest = 0; strongest < Names.Length; strongest++)
        {
            var headers = new HeaderDictionary();
            var request = new TurnRequest();
            for (var index = Names.Length - 1; index >= strongest; index--)
            {
                request = Names[index].Body?.Invoke(request) ?? request;
                if (Names[index].Header is { } header)
                {
                    headers[header] = $"v{index}";
                }
            }
            Assert.Equal(new TurnScope(Names[strongest].Key, $"v{strongest}", strongest < 2 ? $"v{strongest}" : null), TurnScope.Of(headers, request));
        }
    }

    [Fact]
    public void Blank_names_are_none() =>
        Assert.Equal(new TurnScope("cache:k", "k"), TurnScope.Of(new HeaderDictionary { ["thread-id"] = "", ["session-id"] = "  " }, new TurnRequest { PromptCacheKey = "k" }));

    [Fact]
    public void Without_a_name_there_is_no_scope() => Assert.Equal(new TurnScope(null, null), TurnScope.Of(new HeaderDictionary(), new TurnRequest()));
}
