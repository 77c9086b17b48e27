using System.Text.Json;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Admin;
using Proxy.Accounts.Contracts;

namespace Proxy.Accounts.Tests;

public sealed class DraftTests
{
    private const string Good = """{"name":"main","baseUrl":"https://a.test/v1/","credential":{"kind":"bearer","token":"sk-1"}}""";

    [Theory]
    [InlineData("{}", "name,baseUrl,credential")]
    [InlineData(Good, "")]
    [InlineData("""{"name":" ","baseUrl":"ftp://a.test","credential":{"kind":"basic","token":"t"}}""", "name,baseUrl,credential")]
    [InlineData("""{"name":"a\u0000b","baseUrl":"https://a.test/v1?x=1","credential":{"kind":"azure","token":"a b"}}""", "name,baseUrl,credential")]
    [InlineData("""{"name":"a","baseUrl":"/v1","credential":{"kind":"azure","token":"a\r\nx: y"},"weight":0,"maxConcurrentTurns":0,"models":[],"state":"cooling","domain":""}""",
        "domain,baseUrl,credential,weight,maxConcurrentTurns,models,state")]
    public void All_that_is_wrong_with_a_new_account_is_told_at_once(string json, string wrong) => Assert.Equal(wrong, Wrong(Account(json).Validate(isNew: true)));

    [Theory]
    [InlineData("https://api.openai.com/v1", true)]
    [InlineData("http://127.0.0.1:8080/v1", true)]
    [InlineData("http://10.0.0.1/v1", true)]
    [InlineData("http://[::1]/v1", true)]
    [InlineData("https://user:pass@a.test/v1", false)]
    [InlineData("https://user@a.test/v1", false)]
    [InlineData("https://a.test/v1#x", false)]
    [InlineData("https://a.test/v1#", false)]
    [InlineData("https://a.test/v1?", false)]
    [InlineData("https://a.test/v1\r\nx", false)]
    [InlineData("https://a.test/v 1", false)]
    [InlineData("https://a.test\\@b.test/v1", false)]
    [InlineData("http://169.254.169.254/latest", false)]
    [InlineData("http://2852039166/latest", false)]
    [InlineData("http://0xa9.0xfe.0xa9.0xfe/latest", false)]
    [InlineData("http://[::ffff:169.254.169.254]/latest", false)]
    [InlineData("http://[fe80::1]/v1", false)]
    [InlineData("http://[fd00:ec2::254]/v1", false)]
    [InlineData("http://100.100.100.200/v1", false)]
    [InlineData("http://METADATA.google.internal./v1", false)]
    public void An_account_is_at_an_address_of_an_upstream(string url, bool isGood) => Assert.Equal(isGood, UpstreamAddress.FindError(url, allowsLinkLocal: false) is null);

    [Theory]
    [InlineData("http://169.254.169.254/v1", true)]
    [InlineData("http://u@169.254.169.254/v1", false)]
    public void Link_local_addresses_can_be_allowed(string url, bool isGood) => Assert.Equal(isGood, UpstreamAddress.FindError(url, allowsLinkLocal: true) is null);

    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"name":"  "}""", "name")]
    [InlineData("""{"baseUrl":"","weight":1001,"models":[null]}""", "baseUrl,weight,models")]
    public void A_change_names_only_what_it_changes(string json, string wrong) => Assert.Equal(wrong, Wrong(Account(json).Validate(isNew: false)));

    [Fact]
    public void A_new_account_has_sensible_defaults()
    {
        var account = Account(Good).Create();

        Assert.Equal(("main", "https://a.test/v1", "main", 0, 1, 8), (account.Name, account.BaseUrl, account.Domain, account.Priority, account.Weight, account.MaxConcurrentTurns));
        Assert.Equal((CredentialKind.Bearer, "sk-1", AccountState.Active), (account.CredentialKind, account.Credential.Reveal(), account.State));
        Assert.Equal(["*"], account.Models);
    }

    [Fact]
    public void A_new_credential_brings_an_account_back_that_waited_for_one()
    {
        var waiting = Some.Account("a") with { State = AccountState.ReauthRequired };

        Assert.Equal(AccountState.Active, Account("""{"credential":{"kind":"bearer","token":"sk-2"}}""").ApplyTo(waiting).State);
        Assert.Equal(AccountState.ReauthRequired, Account("""{"weight":2}""").ApplyTo(waiting).State);
    }

    [Theory]
    [InlineData("""{"name":"team"}""", "")]
    [InlineData("""{"name":"","key":"short","models":[""],"limits":[{"kind":"beer","window":"day","max":1},null,{"kind":"cost","window":"month","max":1}]}""", "name,key,models,a limit,a limit")]
    [InlineData("""{"name":"team","key":"sixteen chars or more"}""", "key")]
    public void All_that_is_wrong_with_an_api_key_is_told_at_once(string json, string wrong) =>
        Assert.Equal(wrong, Wrong(JsonSerializer.Deserialize(json, AdminJson.Default.ApiKeyDraft)!.Validate()));

    [Fact]
    public void A_key_is_made_where_none_is_given_and_its_hint_does_not_give_it_away()
    {
        var (key, text) = new ApiKeyDraft { Name = "team" }.Create();

        Assert.Matches("^cp-[0-9a-f]{48}$", text);
        Assert.NotEqual(text, new ApiKeyDraft { Name = "team" }.Create().Text);
        Assert.Equal(text[..8] + "...", key.Hint);
        Assert.Equal("01234...", new ApiKeyDraft { Name = "team", Key = "0123456789abcdef" }.Create().Key.Hint);
    }

    private static AccountDraft Account(string json) => JsonSerializer.Deserialize(json, AdminJson.Default.AccountDraft)!;

    // The field each error begins with.
    private static string Wrong(IEnumerable<string> errors) =>
        string.Join(',', errors.Select(error => error.StartsWith("a limit", StringComparison.Ordinal) ? "a limit" : error.Split(' ')[0]));
}
