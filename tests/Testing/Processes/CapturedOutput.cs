namespace Testing.Processes;

/// <summary>The lines a process has written so far.</summary>
public sealed class CapturedOutput
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_gate)
            {
                return [.. _lines];
            }
        }
    }

    public void Add(string line)
    {
        lock (_gate)
        {
            _lines.Add(line);
        }
    }

    /// <summary>The last lines, for the message of a failure.</summary>
    public string Tail(int count = 40) => string.Join('\n', Lines.TakeLast(count));

    public override string ToString() => string.Join('\n', Lines);
}
