using System.Security.Cryptography;

namespace AppHost.Configuration;

/// <summary>A secret that is made once, kept in a file only its owner can read, and the same ever after.</summary>
internal static class SecretFile
{
    private const int TokenLength = 43;

    /// <summary>Letters and digits only: safe in a URL, a header, and a Redis connection string, which cannot carry a comma.</summary>
    public static string NewToken() => RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", TokenLength);

    /// <summary>The same, made by whoever deploys a published manifest.</summary>
    public static GenerateParameterDefault Generated { get; } = new() { MinLength = TokenLength, Special = false };

    /// <summary>One AES-256 key with an id: <c>keyid:base64</c>.</summary>
    public static string NewEncryptionKey() => $"k1:{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}";

    /// <summary>The content of <paramref name="path"/>, made by <paramref name="create"/> if there is no such file.</summary>
    public static string ReadOrCreate(string path, Func<string> create)
    {
        var folder = Path.GetDirectoryName(path)!;
        if (!File.Exists(path))
        {
            PrivateFile.CreateFolder(folder);

            // Written beside and renamed, so that no reader meets half a secret; whoever renames first wins.
            var draft = Path.Combine(folder, $".{Path.GetFileName(path)}.{Environment.ProcessId}");
            PrivateFile.Write(draft, create() + "\n");
            try
            {
                File.Move(draft, path, overwrite: false);
            }
            catch (IOException) when (File.Exists(path))
            {
                File.Delete(draft);
            }
        }

        return File.ReadAllText(path).Trim();
    }
}
