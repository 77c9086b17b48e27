using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Testing.Processes;

namespace Testing.Stores;

/// <summary>The programs that speak Redis' protocol.</summary>
public enum RedisKind
{
    /// <summary>The .NET tool of the repository's manifest.</summary>
    Garnet,

    /// <summary><c>redis-server</c>, where it is on PATH.</summary>
    Redis,
}

/// <summary>How these programs are started, and asked whether they serve.</summary>
internal static class RedisProgram
{
    /// <summary>True if the machine has this kind.</summary>
    public static bool IsThere(RedisKind kind) => kind == RedisKind.Garnet || SearchPath.Find("redis-server") is not null;

    /// <summary>
    /// A server in memory, or one that loses nothing it has acknowledged when it is killed. Waiting for the disk as well would guard against a machine
    /// that loses power, at ten times the latency.
    /// </summary>
    public static async Task<Launch> LaunchAsync(RedisKind kind, int port, string directory, int databases, bool keepsData)
    {
        var portText = port.ToString(CultureInfo.InvariantCulture);
        var count = databases.ToString(CultureInfo.InvariantCulture);
        var launch = kind == RedisKind.Garnet
            ? new Launch(BuiltPrograms.Dotnet,
            [
                await GarnetTool.FindAsync(), "-q", "--port", portText, "--bind", "127.0.0.1", "--max-databases", count,
                // Without the transaction mode scripts are not atomic.
                "--lua", "true", "--lua-transaction-mode", "true", "--memory", "64m", "--page", "1m", "--index", "1m",
                .. keepsData ? ["--aof", "true", "--aof-commit-wait", "true", "--recover", "true", "--storage-tier", "true", "--logdir", Path.Combine(directory, "log")] : Array.Empty<string>(),
                .. keepsData && !GarnetTool.HasLibaio() ? ["--device-type", "RandomAccess"] : Array.Empty<string>(),
            ])
            {
                // The tool may target an older runtime than the one that is here.
                Environment = new Dictionary<string, string>(ChildEnvironment.Inherited()) { ["DOTNET_ROLL_FORWARD"] = "Major" },
            }
            : new Launch("redis-server",
                "--port", portText, "--bind", "127.0.0.1", "--databases", count, "--dir", directory, "--save", "", "--appendonly", keepsData ? "yes" : "no", "--appendfsync", "no");
        return launch with { WorkingDirectory = directory, Directory = directory };
    }

    /// <summary>One PING. A server that still loads its data answers "-LOADING ...".</summary>
    public static async Task<bool> AnswersAsync(int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
            await using var stream = client.GetStream();
            await stream.WriteAsync("*1\r\n$4\r\nPING\r\n"u8.ToArray(), limit.Token);
            using var reader = new StreamReader(stream);
            return await reader.ReadLineAsync(limit.Token) == "+PONG";
        }
        catch (Exception away) when (away is SocketException or IOException or OperationCanceledException)
        {
            return false;
        }
    }
}
