using System.Text.RegularExpressions;
using Testing.Processes;

namespace Proxy.Edge.Tests;

/// <summary>A project reads from one end to the other: its folders stand from bottom to top, and none uses one above it.</summary>
public sealed partial class FoldersTests
{
    [Theory]
    [InlineData("Proxy.Edge", "Protocol Lifecycle Clients Owners Callers Downstream Spool Recovery Turns Upstream Routing Answers Sessions Http Passthrough Endpoints")]
    [InlineData("Proxy.Accounts", "Contracts Credentials Accounts ApiKeys Pool Selection Quotas Admin")]
    [InlineData("Proxy.Continuity", "Contracts Storage Sessions Owners RequestLogs")]
    [InlineData("ServiceDefaults", "Security Data Health Telemetry Http Hosting")]
    [InlineData("AppHost", "Configuration Processes Stores Preparation Topology Commands Lifecycle")]
    [InlineData("tests/Simulator", "Scripts Recording Responses Accounts Turns Sockets Endpoints")]
    public void No_folder_uses_one_above_it(string path, string fromBottomToTop)
    {
        var (root, project) = (Path.Combine(BuiltPrograms.SolutionDirectory, path), Path.GetFileName(path));
        var folders = fromBottomToTop.Split(' ').ToList();
        var files = Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Select(file => (File: Path.GetRelativePath(root, file), Text: File.ReadAllText(file)))
            .Where(file => file.File.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
            .Select(file => (file.File, file.Text, Folder: file.File.Split(Path.DirectorySeparatorChar)[0]))
            .ToList();

        Assert.Equal(folders.Order(), files.Select(file => file.Folder).Distinct().Order());
        Assert.Empty(
            from file in files
            from Match use in Use().Matches(file.Text)
            where use.Groups["project"].Value == project && folders.IndexOf(use.Groups["folder"].Value) > folders.IndexOf(file.Folder)
            select $"{file.File} uses {use.Groups["folder"].Value}");
    }

    // using Proxy.Edge.Protocol;
    [GeneratedRegex(@"^using (static )?(?<project>(Proxy\.)?\w+)\.(?<folder>\w+)[\w.]*;", RegexOptions.Multiline)]
    private static partial Regex Use();
}
