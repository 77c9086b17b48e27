namespace Proxy.Edge.Tests.Turns.Recovery;

public sealed class RecoveryDocumentTests
{
    private const string Begin = "<!-- table: made from RecoveryPolicy, see CONTRIBUTING.md -->\n";
    private const string End = "<!-- end of table -->";

    // UPDATE_DOCS=1 dotnet test tests/Proxy.Edge.Tests --filter RecoveryDocument
    [Fact]
    public void The_table_in_the_document_is_what_the_policy_decides()
    {
        var path = Path.Combine(Root(), "docs", "recovery.md");
        var text = File.ReadAllText(path);
        var begin = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var end = text.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= Begin.Length && end >= begin, "docs/recovery.md has lost the marks around its table.");
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            File.WriteAllText(path, text[..begin] + RecoveryTable.Write() + text[end..]);
            return;
        }
        Assert.Equal(RecoveryTable.Write(), text[begin..end]);
    }

    private static string Root()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Aspire.sln")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("Not within the repository.");
        }
        return directory.FullName;
    }
}
