using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Npgsql;
using Testing;
using Testing.Processes;

namespace AppHost.Tests;

/// <summary>The stores of a running AppHost, found as a service finds them: through its environment.</summary>
internal sealed record Stores(string Postgres, string Redis)
{
    public static async Task<Stores> OfAsync(AppHostProcess host)
    {
        using var http = new HttpClient();
        var edge = await http.GetFromJsonAsync<Dictionary<string, string>>(new Uri(host.BaseAddress, "environment"));
        var service = await http.GetFromJsonAsync<Dictionary<string, string>>(new Uri(new Uri(edge!["services__continuity__http__0"]), "environment"));
        var stores = new Stores(service!["ConnectionStrings__continuitydb"] + ";Pooling=false", service["ConnectionStrings__redis"]);
        await stores.WaitUntilServingAsync();
        return stores;
    }

    /// <summary>One command; the answer without the length line of a bulk string.</summary>
    public async Task<string?> RedisAsync(params string[] command)
    {
        var parts = Redis.Split(',', 2);
        var address = parts[0].Split(':');
        using var client = new TcpClient();
        await client.ConnectAsync(address[0], int.Parse(address[1], System.Globalization.CultureInfo.InvariantCulture));
        await using var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.ASCII);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(Resp("AUTH", parts[1]["password=".Length..]) + Resp(command)));
        Assert.Equal("+OK", await reader.ReadLineAsync());
        var answer = await reader.ReadLineAsync();
        return answer is ['$', not '-', ..] ? await reader.ReadLineAsync() : answer;
    }

    private static string Resp(params string[] words) =>
        $"*{words.Length}\r\n" + string.Concat(words.Select(word => $"${word.Length}\r\n{word}\r\n"));

    private Task WaitUntilServingAsync() => Eventually.TrueAsync(Serving);

    private async Task<bool> Serving()
    {
        try
        {
            await using var connection = new NpgsqlConnection(Postgres);
            await connection.OpenAsync();
            return await RedisAsync("PING") == "+PONG";
        }
        catch (Exception failure) when (failure is NpgsqlException or SocketException or IOException)
        {
            return false;
        }
    }
}
