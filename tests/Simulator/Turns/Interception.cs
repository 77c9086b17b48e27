using Simulator.Accounts;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>The steps that make sense for a request that is not a turn, or for a handshake: refuse, stall, cut, end.</summary>
internal static class Interception
{
    /// <returns>Whether the request goes on.</returns>
    public static async Task<bool> PassesAsync(Rule rule, HttpContext context, Simulation simulation)
    {
        foreach (var (name, value) in rule.Answer.Headers)
        {
            context.Response.Headers[name] = value;
        }

        foreach (var step in rule.Steps)
        {
            switch (step)
            {
                case StatusStep status:
                    await Refusal.WriteAsync(context, status, context.RequestAborted);
                    return false;
                case StallStep { Ms: { } ms }:
                    await Task.Delay(TimeSpan.FromMilliseconds(ms), simulation.Time, context.RequestAborted);
                    break;
                case StallStep:
                    await simulation.Gate.WaitAsync(Task.Delay(Timeout.InfiniteTimeSpan, simulation.Time, context.RequestAborted), context.RequestAborted);
                    break;
                case CutStep:
                    context.Caller().Abort();
                    return false;
                case EofStep or CloseStep:
                    return false;
            }
        }

        return true;
    }
}
