using System.Globalization;

namespace Benchmarks.Measuring;

/// <summary>A process whose use of the machine is read from <c>/proc</c>.</summary>
/// <param name="Name">What it is called in reports.</param>
/// <param name="Id">Its process id, which changes where it is started again.</param>
/// <param name="WithChildren">Whether it works through processes of its own, as PostgreSQL does.</param>
internal sealed record MeasuredProcess(string Name, Func<int?> Id, bool WithChildren = false)
{
    // A constant of Linux' interface, whatever the kernel's own clock does.
    private const double TicksPerSecond = 100;

    // "pid (name) S ppid ...": places after the name.
    private const int Parent = 1;
    private const int UserTime = 11;
    private const int SystemTime = 12;
    private const int EndedUserTime = 13;
    private const int EndedSystemTime = 14;

    /// <summary>Processor time since its start, children included.</summary>
    public TimeSpan ProcessorTime()
    {
        var id = Required();
        var own = Stat(id) ?? throw new IOException($"{Name} has ended.");
        var ticks = Ticks(own, UserTime, SystemTime);
        if (WithChildren)
        {
            // Those that have ended are in the parent's account.
            ticks += Ticks(own, EndedUserTime, EndedSystemTime) + Children(id).Sum(child => Ticks(child, UserTime, SystemTime));
        }
        return TimeSpan.FromSeconds(ticks / TicksPerSecond);
    }

    /// <summary>Bytes of memory that it holds now.</summary>
    public long ResidentBytes()
    {
        var line = File.ReadLines($"/proc/{Required()}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        // VmRSS:	   12345 kB
        return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    private int Required() => Id() ?? throw new IOException($"{Name} is not running.");

    private static IEnumerable<string[]> Children(int id) =>
        from folder in Directory.EnumerateDirectories("/proc")
        let name = Path.GetFileName(folder)
        where char.IsAsciiDigit(name[0])
        let stat = Stat(int.Parse(name, CultureInfo.InvariantCulture))
        where stat is not null && int.Parse(stat[Parent], CultureInfo.InvariantCulture) == id
        select stat;

    private static long Ticks(string[] stat, int first, int second) =>
        long.Parse(stat[first], CultureInfo.InvariantCulture) + long.Parse(stat[second], CultureInfo.InvariantCulture);

    private static string[]? Stat(int id)
    {
        try
        {
            // The name may hold anything, so the rest is found from its closing parenthesis.
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }
}
