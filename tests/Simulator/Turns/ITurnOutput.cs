using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>Where a turn's events go: an SSE body, a JSON body, a lane of a WebSocket, or the log of a background response.</summary>
internal interface ITurnOutput
{
    /// <summary>
    /// True where nothing follows the terminal event: upstream is done with the turn before its peer can know. A body of events is not at its end
    /// before its connection says so.
    /// </summary>
    bool TerminalIsEnd { get; }

    /// <summary>Sends status and headers, where there are any.</summary>
    ValueTask StartAsync(Turn turn, CancellationToken cancellationToken);

    ValueTask SendAsync(TurnEvent turnEvent, CancellationToken cancellationToken);

    ValueTask SendRawAsync(string text, bool binary, CancellationToken cancellationToken);

    ValueTask PingAsync(CancellationToken cancellationToken);

    /// <summary>Answers with an error instead of a response.</summary>
    ValueTask RefuseAsync(StatusStep refusal, CancellationToken cancellationToken);

    /// <summary>Ends in good order; with a Close frame if there is a <paramref name="close"/> and frames.</summary>
    ValueTask EndAsync(CloseStep? close, CancellationToken cancellationToken);

    /// <summary>Resets the TCP connection.</summary>
    void Cut();
}
