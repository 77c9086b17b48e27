namespace AppHost.Lifecycle;

/// <summary>How the start went: decided once, by the system's being ready or by what made it fail.</summary>
internal sealed class RunOutcome
{
    private const int Undecided = 0;
    private const int Ready = 1;
    private const int Failed = 2;

    private int _state;

    public bool IsDecided => Volatile.Read(ref _state) != Undecided;

    /// <summary>What the AppHost's process ends with.</summary>
    public int ExitCode => Volatile.Read(ref _state) == Failed ? 1 : 0;

    /// <summary>The system is ready. False if the start had failed.</summary>
    public bool Succeed() => Interlocked.CompareExchange(ref _state, Ready, Undecided) == Undecided;

    /// <summary>The start has failed. False if that, or the contrary, was known already.</summary>
    public bool Fail() => Interlocked.CompareExchange(ref _state, Failed, Undecided) == Undecided;
}
