using System.Diagnostics;

namespace AppHost.Processes;

/// <summary>A program that was run to its end: how it ended, and what it said.</summary>
/// <param name="ExitCode">Null if it did not end in the time that it had; it was killed then.</param>
/// <param name="Output">Lines of standard output.</param>
/// <param name="Errors">Lines of standard error.</param>
internal sealed record ProgramRun(int? ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors)
{
    public bool Succeeded => ExitCode == 0;

    /// <summary>The last thing it said, for a message of one line.</summary>
    public string LastLine => Errors.Concat(Output).LastOrDefault(line => !string.IsNullOrWhiteSpace(line)) ?? "it said nothing";

    /// <summary>Runs <paramref name="command"/>, a program and its arguments, for at most <paramref name="limit"/>.</summary>
    public static async Task<ProgramRun> OfAsync(
        IReadOnlyList<string> command, TimeSpan limit, string? workingDirectory = null, CancellationToken cancellationToken = default)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? string.Empty,
        })!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(limit);
        var ended = true;
        try
        {
            await process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            ended = false;
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }

        cancellationToken.ThrowIfCancellationRequested();
        return new(ended ? process.ExitCode : null, Lines(await output), Lines(await errors));
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
