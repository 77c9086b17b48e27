using AppHost.Stores;

namespace AppHost.Tests;

public sealed class PostgresInstallationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postgres-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_one_on_PATH_comes_first_seen_through_links()
    {
        var real = Install("root/14/bin");
        _ = Install("root/17/bin");
        var links = Directory.CreateDirectory(Path.Combine(_folder, "links")).FullName;
        _ = File.CreateSymbolicLink(Path.Combine(links, "postgres"), Path.Combine(real, "postgres"));

        Assert.Equal(real, PostgresInstallation.Find(links, Path.Combine(_folder, "root"))?.Directory);
    }

    [Fact]
    public void Else_the_newest_version_that_is_complete()
    {
        _ = Install("root/9.6/bin");
        var newest = Install("root/16/bin");
        _ = Directory.CreateDirectory(Path.Combine(_folder, "root/17/bin"));

        Assert.Equal(newest, PostgresInstallation.Find("/nonexistent", Path.Combine(_folder, "root"))?.Directory);
    }

    [Fact]
    public void None_is_none() => Assert.Null(PostgresInstallation.Find("/nonexistent", Path.Combine(_folder, "root")));

    private string Install(string folder)
    {
        var path = Directory.CreateDirectory(Path.Combine(_folder, folder)).FullName;
        File.WriteAllText(Path.Combine(path, "postgres"), string.Empty);
        File.WriteAllText(Path.Combine(path, "initdb"), string.Empty);
        return path;
    }
}
