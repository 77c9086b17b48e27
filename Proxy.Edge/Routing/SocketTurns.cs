using Proxy.Edge.Lifecycle;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using Proxy.Edge.Turns;

namespace Proxy.Edge.Routing;

/// <summary>
/// Runs the turns of one client's socket. A turn is sent, and sent once more where <see cref="RecoveryPolicy"/> says so, by the task of its
/// lane, which holds nothing meanwhile that another lane could wait for.
/// </summary>
internal sealed partial class SocketTurns(TurnRunner runner, TurnAdmission admission, TurnJournal journal, TurnDeadlines deadlines, ClientSocket client, UpstreamLinks links, ILogger logger)
{
    private readonly RunningTasks _followed = new();

    /// <summary>Lets turns in, and counts them.</summary>
    public TurnGate Gate { get; } = new();

    /// <summary>A turn that has come through the <see cref="Gate"/>, with its frame; to be run, or disposed.</summary>
    public SocketTurn Of(Turn turn, PooledBody frame) => new(journal.Hold(turn), frame, client, links);

    /// <summary>Runs a turn to its end, and disposes it. Never throws: a lane that stopped for one turn would leave those behind it without an answer.</summary>
    public async Task RunAsync(SocketTurn turn)
    {
        try
        {
            using var deadline = deadlines.For(turn.Turn, client.Ended);
            await runner.RunAsync(turn, deadline);
        }
        catch (Exception exception)
        {
            LogFault(logger, exception, turn.Turn.Id);
        }
        finally
        {
            turn.Dispose();
            Gate.Exit();
        }
    }

    /// <summary>
    /// Upstream has begun another response by itself behind one that has ended, as it does with steering that came late: that is a turn of its own. Null if the socket takes
    /// no more turns.
    /// </summary>
    public SocketAttempt? Follow(UpstreamLink link, Turn ended, string lane)
    {
        if (!Gate.TryEnter())
        {
            return null;
        }
        var successor = journal.BeginSuccessor(ended);
        var deadline = deadlines.For(successor.Turn, client.Ended);
        var attempt = new SocketAttempt(successor, lane, deadline.BeginAttempt(), client.Events);
        _followed.Add(FollowAsync(link, Of(successor.Turn, new PooledBody(initialCapacity: 1)), attempt, deadline));
        return attempt;
    }

    /// <summary>Ends when all turns have that upstream began by itself.</summary>
    public Task WhenFollowedAsync() => _followed.WhenEndedAsync();

    private async Task FollowAsync(UpstreamLink link, SocketTurn turn, SocketAttempt attempt, TurnDeadline deadline)
    {
        using (deadline)
        using (attempt.Deadline)
        {
            try
            {
                await runner.RunSuccessorAsync(turn, WithSlotAsync(turn.FollowAsync(link, attempt), admission.JoinAsync(turn.Turn, deadline)), deadline);
            }
            finally
            {
                turn.Dispose();
                Gate.Exit();
            }
        }
    }

    [LoggerMessage(430, LogLevel.Error, "A fault as turn {TurnId} on a client's socket was ended")]
    private static partial void LogFault(ILogger logger, Exception exception, Guid turnId);

    private static async Task<RecoverySignal?> WithSlotAsync(Task<RecoverySignal?> attempt, Task slot)
    {
        var signal = await attempt;
        await slot;
        return signal;
    }
}
