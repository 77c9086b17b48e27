using Simulator.Responses;
using Simulator.Scripts;

namespace Simulator.Turns;

/// <summary>The event log of a <c>background:true</c> response, which readers can follow from any sequence number.</summary>
internal sealed class BackgroundOutput(CancellationTokenSource cancellation) : ITurnOutput
{
    private readonly Lock _lock = new();
    private readonly List<TurnEvent> _events = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _over;

    private StoredResponse? _response;
    private Task _turn = Task.CompletedTask;

    /// <summary>Starts the turn; what it sends keeps <paramref name="response"/> up to date.</summary>
    public void Run(StoredResponse response, Func<Task> turn)
    {
        _response = response;
        _turn = Task.Run(turn);
    }

    /// <summary>Stops the turn, if it is not over.</summary>
    public async Task CancelAsync()
    {
        await cancellation.CancelAsync();
        await _turn;
    }

    /// <summary>All events from the first whose sequence number is greater, as they come.</summary>
    public async IAsyncEnumerable<TurnEvent> FollowAsync(
        int startingAfter, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var index = startingAfter + 1; ; index++)
        {
            if (await GetAsync(index, cancellationToken) is not { } turnEvent)
            {
                yield break;
            }

            yield return turnEvent;
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            _over = true;
            _more.TrySetResult();
        }
    }

    public bool TerminalIsEnd => true;

    public ValueTask StartAsync(Turn turn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask SendAsync(TurnEvent turnEvent, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _events.Add(turnEvent);
            if (turnEvent.Response is { } response && _response is { } stored)
            {
                stored.Json = response;
            }

            _more.TrySetResult();
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask SendRawAsync(string text, bool binary, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask PingAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask RefuseAsync(StatusStep refusal, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask EndAsync(CloseStep? close, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public void Cut()
    {
    }

    private async ValueTask<TurnEvent?> GetAsync(int index, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task more;
            lock (_lock)
            {
                if (index < _events.Count)
                {
                    return _events[index];
                }

                if (_over)
                {
                    return null;
                }

                more = _more.Task;
            }

            await more.WaitAsync(cancellationToken);
        }
    }
}
