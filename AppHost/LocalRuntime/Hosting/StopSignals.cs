using System.Runtime.InteropServices;
using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>The ways to ask the AppHost to end: a first signal stops it in order, a second one at once.</summary>
internal sealed class StopSignals : IDisposable
{
    private static readonly TimeSpan ParentCheck = TimeSpan.FromSeconds(1);

    // timeout(1) and some terminals deliver one request as two signals.
    private static readonly TimeSpan SameRequest = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop;
    private readonly CancellationTokenSource _hurry = new();
    private readonly List<IDisposable> _registrations = [];
    private readonly Lock _gate = new();
    private long? _firstRequest;

    public StopSignals(CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Not SIGHUP: a handler would undo nohup, and where it is not ignored the guards end the children.
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM })
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                Request();
            }));
        }

        // dotnet run waits for the AppHost as long as it lives, so another parent means that it was killed.
        if (Environment.GetEnvironmentVariable("DOTNET_LAUNCH_PROFILE") is not null)
        {
            var parent = Signals.ParentProcess();
            _registrations.Add(TimeProvider.System.CreateTimer(_ => StopIfOrphaned(parent), null, ParentCheck, ParentCheck));
        }
    }

    public CancellationToken Stop => _stop.Token;

    public CancellationToken Hurry => _hurry.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }

        _stop.Dispose();
        _hurry.Dispose();
    }

    private void Request()
    {
        lock (_gate)
        {
            if (_firstRequest is { } first && TimeProvider.System.GetElapsedTime(first) < SameRequest)
            {
                return;
            }

            (_firstRequest is null ? _stop : _hurry).Cancel();
            _firstRequest ??= TimeProvider.System.GetTimestamp();
        }
    }

    private void StopIfOrphaned(int parent)
    {
        if (Signals.ParentProcess() != parent && !_stop.IsCancellationRequested)
        {
            Request();
        }
    }
}
