using Simulator;

namespace Clients.Tests;

/// <summary>Errors that upstream gives on request of the prompt.</summary>
internal static class ScriptedErrors
{
    // The account rests for two seconds then: what is asked next waits for it.
    public static void Script(SimulatorServer simulator)
    {
        simulator.Script(rule => rule.When(when => when with { Contains = "please 429" })
            .Refuses(429, "slow_down", "Please slow down.", ("retry-after", "2")));
        simulator.Script(rule => rule.When(when => when with { Contains = "please 500" }).Refuses(500, "server_error", "The server had an error."));
        simulator.Script(rule => rule.When(when => when with { Contains = "please fail once" }).Once().Refuses(500, "server_error", "The server had an error."));
    }
}
