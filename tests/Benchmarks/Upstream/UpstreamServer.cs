using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Benchmarks.Upstream;

/// <summary>
/// A Responses API that costs next to nothing: answers encoded beforehand, in which only the id is new. The mode <c>upstream URL</c> of this program.
/// </summary>
internal static class UpstreamServer
{
    /// <summary>Serves until the process is ended.</summary>
    public static async Task RunAsync(string address)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseUrls(address);
        await using var application = builder.Build();
        var answers = new Answers();
        var ids = new ResponseIds();
        var http = new HttpTurns(answers, ids);
        var sockets = new SocketTurns(answers, ids);
        application.UseWebSockets(new() { KeepAliveInterval = TimeSpan.Zero });
        application.Run(context =>
            context.WebSockets.IsWebSocketRequest ? sockets.RunAsync(context)
            : HttpMethods.IsPost(context.Request.Method) ? http.AnswerAsync(context)
            : Task.CompletedTask);
        await application.RunAsync();
    }
}
