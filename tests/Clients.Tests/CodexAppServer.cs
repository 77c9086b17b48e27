using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace Clients.Tests;

/// <summary>
/// <c>codex app-server</c>: one process that runs many turns of a thread. JSON-RPC, one message a line:
/// <code>
/// {"id":1,"method":"turn/start","params":{...}}   ->   {"id":1,"result":{...}}, {"method":"turn/completed","params":{...}}
/// </code>
/// </summary>
public sealed class CodexAppServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task _reading;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _calls = new();
    private readonly Channel<JsonNode> _notifications = Channel.CreateUnbounded<JsonNode>();
    private int _lastId;

    private CodexAppServer(Process process)
    {
        _process = process;
        _reading = ReadAsync();
    }

    /// <summary>Starts it and a thread.</summary>
    public static async Task<(CodexAppServer Server, string ThreadId)> StartAsync(Codex codex)
    {
        var start = new ProcessStartInfo(codex.Program, ["app-server"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = codex.Environment["CODEX_HOME"],
        };
        foreach (var (name, value) in codex.Environment)
        {
            start.Environment[name] = value;
        }
        var server = new CodexAppServer(Process.Start(start)!);
        await server.CallAsync("initialize", new JsonObject { ["clientInfo"] = new JsonObject { ["name"] = "tests", ["version"] = "1" } });
        await server.WriteAsync(new JsonObject { ["method"] = "initialized" });
        var thread = await server.CallAsync("thread/start", new JsonObject { ["cwd"] = codex.Environment["CODEX_HOME"] });
        return (server, (string)thread["thread"]!["id"]!);
    }

    /// <summary>Runs one turn to its end; the text of its last message.</summary>
    public async Task<string> TurnAsync(string threadId, string text) => await UntilTurnEndsAsync(await BeginTurnAsync(threadId, text));

    /// <summary>Begins a turn; its id.</summary>
    public async Task<string> BeginTurnAsync(string threadId, string text)
    {
        var started = await CallAsync("turn/start", new JsonObject
        {
            ["threadId"] = threadId,
            ["input"] = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = text }),
        });
        return (string)started["turn"]!["id"]!;
    }

    /// <summary>Interrupts a turn, and waits until it has ended so.</summary>
    public async Task InterruptAsync(string threadId, string turnId)
    {
        await CallAsync("turn/interrupt", new JsonObject { ["threadId"] = threadId, ["turnId"] = turnId });
        await UntilTurnEndsAsync(turnId, status: "interrupted");
    }

    /// <summary>Compacts the thread's context.</summary>
    public async Task CompactAsync(string threadId)
    {
        await CallAsync("thread/compact/start", new JsonObject { ["threadId"] = threadId });
        await UntilTurnEndsAsync(null);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        await _reading;
        _process.Dispose();
    }

    private async Task<string> UntilTurnEndsAsync(string? turnId, string status = "completed")
    {
        using var limit = new CancellationTokenSource(Limit);
        var text = "";
        while (true)
        {
            var next = await _notifications.Reader.ReadAsync(limit.Token);
            var item = next["params"]?["item"];
            if ((string?)next["method"] == "item/completed" && (string?)item?["type"] == "agentMessage")
            {
                text = (string)item["text"]!;
            }
            if ((string?)next["method"] == "turn/completed" && (turnId is null || (string?)next["params"]!["turn"]!["id"] == turnId))
            {
                Assert.Equal(status, (string?)next["params"]!["turn"]!["status"]);
                return text;
            }
        }
    }

    private async Task<JsonNode> CallAsync(string method, JsonObject parameters)
    {
        var id = Interlocked.Increment(ref _lastId);
        var answer = _calls[id] = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        await WriteAsync(new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters });
        var message = await answer.Task.WaitAsync(Limit);
        Assert.True(message["error"] is null, message.ToJsonString());
        return message["result"]!;
    }

    private async Task WriteAsync(JsonObject message)
    {
        message["jsonrpc"] = "2.0";
        await _process.StandardInput.WriteLineAsync(message.ToJsonString());
        await _process.StandardInput.FlushAsync();
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            var message = JsonNode.Parse(line)!;
            if (message["id"] is JsonValue id && id.TryGetValue(out int number) && _calls.TryRemove(number, out var call))
            {
                call.SetResult(message);
            }
            else
            {
                _notifications.Writer.TryWrite(message);
            }
        }
        _notifications.Writer.TryComplete();
    }
}
