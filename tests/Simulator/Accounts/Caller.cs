using Simulator.Recording;

namespace Simulator.Accounts;

/// <summary>Who makes the request at hand, and its record.</summary>
internal sealed class Caller(HttpContext context, Account account, Exchange exchange) : Connection
{
    public Account Account { get; } = account;

    public Exchange Exchange { get; } = exchange;

    /// <summary>Whether the simulator has reset the connection.</summary>
    public bool WasCut { get; private set; }

    public override void Abort()
    {
        WasCut = true;
        context.Abort();
    }
}

internal static class CallerOfContext
{
    public static Caller Caller(this HttpContext context) => context.Features.Get<Caller>() ?? throw new InvalidOperationException("Not an API request.");
}
