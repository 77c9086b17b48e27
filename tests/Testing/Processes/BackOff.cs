namespace Testing.Processes;

/// <summary>How long to wait before a process that has crashed is started again: short at first, doubled each time, short again after a calm while.</summary>
internal sealed class BackOff
{
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(30);

    private TimeSpan _next = First;

    /// <summary>The wait after a process that ran for <paramref name="ran"/>.</summary>
    public TimeSpan Next(TimeSpan ran)
    {
        var wait = ran >= Calm ? First : _next;
        _next = wait * 2 > Longest ? Longest : wait * 2;
        return wait;
    }
}
