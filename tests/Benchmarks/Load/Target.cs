using Benchmarks.Measuring;

namespace Benchmarks.Load;

/// <summary>What is measured: an address that serves the Responses API, and the processes behind it.</summary>
/// <param name="Name">What it is called in reports.</param>
/// <param name="Address">Where it serves.</param>
/// <param name="Processes">Those that do its work; the first is the one that clients talk to.</param>
internal sealed record Target(string Name, Uri Address, IReadOnlyList<MeasuredProcess> Processes)
{
    public const string Direct = "direct";
    public const string Yarp = "yarp";
    public const string Ours = "ours";

    /// <summary>The key that the gateway knows; nobody else looks at it.</summary>
    public const string Key = "cp-benchmarks-0123456789";

    /// <summary>Its requests.</summary>
    public Requests Requests { get; } = new(Address, Key);

    /// <summary>The turns that were sent to it.</summary>
    public Tally Tally { get; } = new();

    /// <summary>The process that clients talk to.</summary>
    public MeasuredProcess Front => Processes[0];
}
