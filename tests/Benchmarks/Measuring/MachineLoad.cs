using System.Globalization;

namespace Benchmarks.Measuring;

/// <summary>Whether others are at work on the machine.</summary>
internal static class MachineLoad
{
    /// <summary>Up to this a machine is as good as idle.</summary>
    public const double Quiet = 0.5;

    /// <summary>Processes that ran or wanted to, on average of the last minute.</summary>
    public static double Now() => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);
}
