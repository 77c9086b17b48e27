using Proxy.Edge.Recovery;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>
/// Takes an accepted turn to its end, on whatever surface it came:
/// <code>
/// 1 accept -> 2 resolve -> 3 place -> 4 admit -> 5 attempt -> 6 recover -> end
///                             '-> answered elsewhere   ^---- once more ----'
/// </code>
/// Whatever happens on the way, the turn ends once, here or where it was answered, and its client is told once.
/// </summary>
internal sealed partial class TurnRunner(
    OwnerResolution resolution, TurnAdmission admission, TurnRecovery recovery, TurnEvents events, TurnJournal journal, TurnTelemetry telemetry, ILogger<TurnRunner> logger)
{
    /// <summary>Runs a turn that was accepted (step 1) to its end. A fault on the way ends it, too.</summary>
    public Task RunAsync(ITurnSurface surface, TurnDeadline deadline) => GuardAsync(surface, RunStepsAsync(surface, deadline), deadline);

    /// <summary>Runs a turn that upstream has begun by itself to its end.</summary>
    /// <param name="attempt">Relays its events; as <see cref="ITurnSurface.AttemptAsync"/>.</param>
    public Task RunSuccessorAsync(ITurnSurface surface, Task<RecoverySignal?> attempt, TurnDeadline deadline) => GuardAsync(surface, EndSuccessorAsync(surface, attempt, deadline), deadline);

    private async Task GuardAsync(ITurnSurface surface, Task run, TurnDeadline deadline)
    {
        try
        {
            await run;
        }
        catch (OperationCanceledException) when (deadline.Token.IsCancellationRequested)
        {
            await RecoverAsync(surface, new RecoverySignal(deadline.Reason), deadline);
        }
        catch (Exception exception)
        {
            LogFault(exception, surface.Turn.Id, surface.Turn.Surface);
            await RecoverAsync(surface, new RecoverySignal(SignalKind.Fault), deadline);
        }
    }

    private async Task RunStepsAsync(ITurnSurface surface, TurnDeadline deadline)
    {
        await surface.EnterAsync(deadline);
        // :: Step 2
        var (error, signal) = await surface.KeepAliveAsync(ResolveAsync(surface.Turn, deadline.Token));
        if (error is not null)
        {
            await EndAsync(surface, error, signal: null);
            return;
        }
        // :: Step 3
        if (signal is null)
        {
            (var isAnswered, signal) = await surface.PlaceAsync(deadline);
            if (isAnswered)
            {
                surface.Turn.Activity?.Dispose();
                return;
            }
        }
        // :: Step 4
        signal ??= await surface.KeepAliveAsync(admission.AdmitAsync(surface.Turn, surface.CurrentAccountId, deadline));
        // :: Steps 5 and 6
        while ((signal ?? await surface.AttemptAsync(deadline)) is { } failed && await RecoverAsync(surface, failed, deadline))
        {
            signal = null;
        }
    }

    private async Task EndSuccessorAsync(ITurnSurface surface, Task<RecoverySignal?> attempt, TurnDeadline deadline)
    {
        if (await attempt is { } signal)
        {
            await RecoverAsync(surface, signal, deadline);
        }
    }

    // Both are null when it is known where the turn is at home.
    private async Task<(ApiError? Error, RecoverySignal? Signal)> ResolveAsync(Turn turn, CancellationToken cancellationToken)
    {
        turn.Trace(telemetry.Begin(turn));
        if (journal.IsFull)
        {
            return (null, new RecoverySignal(SignalKind.SpoolFull));
        }
        var (found, error) = await resolution.ResolveAsync(turn.Accepted, OwnerRoute.DemandsOf(turn.Request), cancellationToken);
        if (found is null)
        {
            return error is null ? (null, new RecoverySignal(SignalKind.LookupFailed)) : (error, null);
        }
        turn.Resolve(found);
        telemetry.Resolved(turn);
        return (null, null);
    }

    // True when the turn is to be sent once more; else the client has been told.
    private async Task<bool> RecoverAsync(ITurnSurface surface, RecoverySignal signal, TurnDeadline deadline)
    {
        var turn = surface.Turn;
        if (await events.TryEndPassedAsync(turn, signal))
        {
            return false;
        }
        var decision = await surface.KeepAliveAsync(recovery.HandleAsync(turn, signal, deadline));
        switch (decision)
        {
            case null:
                return true;
            case { Action: RecoveryAction.Surface }:
                await events.SurfaceAsync(turn, signal.Error, signal.Error?.Status ?? StatusCodes.Status200OK);
                await surface.SurfaceAsync(signal);
                return false;
            case { Action: RecoveryAction.RunsOn }:
                await events.EndAsync(turn, decision.Tell!, signal);
                await surface.TellRunsOnAsync(decision.Tell!);
                return false;
            default:
                await EndAsync(surface, decision.Tell!, signal);
                return false;
        }
    }

    private async Task EndAsync(ITurnSurface surface, ApiError error, RecoverySignal? signal)
    {
        await events.EndAsync(surface.Turn, error, signal);
        await surface.TellAsync(error);
    }

    [LoggerMessage(432, LogLevel.Error, "A fault in turn {TurnId} on {Surface}")]
    private partial void LogFault(Exception exception, Guid turnId, string surface);
}
