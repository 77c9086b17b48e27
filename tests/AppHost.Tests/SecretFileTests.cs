using AppHost.Configuration;

namespace AppHost.Tests;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class SecretFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("secrets-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_secret_is_made_once_and_only_its_owner_can_read_it()
    {
        var path = Path.Combine(_folder, "inner", "token");

        var first = SecretFile.ReadOrCreate(path, SecretFile.NewToken);
        var second = SecretFile.ReadOrCreate(path, SecretFile.NewToken);

        Assert.Equal(first, second);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void An_encryption_key_is_an_id_and_32_bytes()
    {
        var parts = SecretFile.NewEncryptionKey().Split(':');

        Assert.Equal("k1", parts[0]);
        Assert.Equal(32, Convert.FromBase64String(parts[1]).Length);
    }
}
