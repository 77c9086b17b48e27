using Proxy.Edge.Protocol;

namespace Proxy.Edge.Turns;

/// <summary>What a turn's request loses on its way to the account it was given. Most lose nothing and go as the bytes they came in.</summary>
internal static class RequestSplices
{
    /// <summary>The request for the turn's account.</summary>
    public static ReadOnlyMemory<byte> For(Turn turn, ReadOnlyMemory<byte> request)
    {
        if (DropsTurnState(turn) && turn.Request.TurnState is not null)
        {
            request = JsonSplices.DropField(request.Span, "client_metadata", WireHeaders.TurnState);
        }
        return turn.Admitted is { DropsReasoning: true } ? JsonSplices.DropEncryptedReasoning(request.Span) : request;
    }

    /// <summary>True if the turn state it carries was given by another domain: there it names a machine, here it may name anybody's.</summary>
    public static bool DropsTurnState(Turn turn) => turn.Resolution.TurnStateDomain is { } domain && domain != turn.Account?.Domain;
}
