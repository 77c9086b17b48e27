using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Benchmarks;
using Benchmarks.Hop;
using Benchmarks.Upstream;

switch (args)
{
    case ["upstream", var address]:
        await UpstreamServer.RunAsync(address);
        return 0;
    case ["yarp", var address, var upstream]:
        await YarpHop.RunAsync(address, upstream);
        return 0;
}
if (Assembly.GetExecutingAssembly().GetCustomAttribute<DebuggableAttribute>()?.IsJITOptimizerDisabled == true)
{
    await Console.Error.WriteLineAsync("A Debug build says nothing about speed: dotnet run -c Release --project tests/Benchmarks");
    return 2;
}
if (!OperatingSystem.IsLinux())
{
    await Console.Error.WriteLineAsync("Processor time and memory are read from /proc: this needs Linux.");
    return 2;
}
using var stop = new CancellationTokenSource();
void Stop(PosixSignalContext signal)
{
    // Everything that was started is to be ended first.
    signal.Cancel = true;
    stop.Cancel();
}
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    return await BenchmarkRun.RunAsync(Settings.Parse(args), stop.Token);
}
catch (FormatException exception)
{
    await Console.Error.WriteLineAsync($"{exception.Message}\n{Settings.Usage}");
    return 2;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 130;
}
