using Simulator.Endpoints;
using Simulator.Responses;
using Simulator.Sockets;
using Simulator.Turns;

namespace Simulator;

/// <summary>Puts the server together.</summary>
internal static class SimulatorApplication
{
    /// <summary>The API is at all of these: of the public service, of Codex's own, of Azure's form.</summary>
    private static readonly string[] Prefixes = ["/v1", "/backend-api/codex/v1", "/backend-api/codex", "/openai/v1"];

    /// <param name="builder">The application to be.</param>
    /// <param name="precise">
    /// Whether a flush means that the kernel has the bytes, so that a cut comes after them and never overtakes them.
    /// It costs more than half of the throughput; benchmarks do without.
    /// </param>
    public static void ConfigureServer(WebApplicationBuilder builder, bool precise)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
        });

        if (precise)
        {
            builder.WebHost.UseSockets(sockets => sockets.MaxWriteBufferSize = 1);
        }
    }

    public static void Map(WebApplication app, Simulation simulation)
    {
        // Open sockets and stalled turns would otherwise hold up the end of the process.
        app.Lifetime.ApplicationStopping.Register(() => simulation.Kill(null));
        app.UseRouting();
        app.UseMiddleware<Intake>(simulation);

        app.MapGet("/health", static context => context.Response.WriteAsync("Healthy"));
        new ControlEndpoints(simulation).Map(app);
        foreach (var prefix in Prefixes)
        {
            var api = app.MapGroup(prefix);
            new TurnEndpoints(simulation, new SocketEndpoint(simulation), app.Lifetime.ApplicationStopping).Map(api);
            new ResponsesEndpoints(simulation).Map(api);
            new ConversationEndpoints(simulation.Time).Map(api);
            new FileEndpoints(simulation.Time).Map(api);
            new ResourceEndpoints(simulation.Time).Map(api);
            new OtherEndpoints(simulation.Time).Map(api);
            ModelEndpoints.Map(api);
        }

        app.MapMethods("/{**any}", [HttpMethods.Head], static _ => Task.CompletedTask);
        app.MapFallback("/{**any}", static async context => await Refusal.WriteAsync(
            context,
            new ApiError(404, null, $"Invalid URL ({context.Request.Method} {context.Request.Path})"),
            context.RequestAborted));
    }
}
