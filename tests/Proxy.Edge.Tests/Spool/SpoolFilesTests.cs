using Proxy.Edge.Tests.Fixture;

namespace Proxy.Edge.Tests.Spool;

public sealed class SpoolFilesTests
{
    private const UnixFileMode OthersAny =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    [Fact]
    public async Task Only_their_owner_can_read_them()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        await using var edge = await RunningEdge.StartAsync();
        await edge.TurnAsync();
        Assert.Equal(default, File.GetUnixFileMode(edge.SpoolDirectory) & OthersAny);
        Assert.NotEmpty(Directory.GetFiles(edge.SpoolDirectory));
        foreach (var file in Directory.GetFiles(edge.SpoolDirectory))
        {
            Assert.Equal(default, File.GetUnixFileMode(file) & OthersAny);
        }
    }
}
