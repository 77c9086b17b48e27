using System.Text.Json.Nodes;
using AppHost.Configuration;
using Microsoft.Extensions.Configuration;

namespace AppHost.Tests;

public sealed class AccountSeedTests
{
    [Fact]
    public void An_OpenAI_key_makes_one_account()
    {
        var seed = Read(("OPENAI_API_KEY", "sk-1"));

        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(seed.Text!), JsonNode.Parse("""
            {"accounts":[{"name":"openai","baseUrl":"https://api.openai.com/v1","credential":{"kind":"bearer","token":"sk-1"},"webSockets":true}]}
            """)));
        Assert.DoesNotContain("sk-1", seed.Source, StringComparison.Ordinal);
    }

    [Fact]
    public void A_seed_takes_precedence_over_the_key()
    {
        var seed = Read(("OPENAI_API_KEY", "sk-1"), ("Accounts:Seed", """{"accounts":[{"name":"a"},{"name":"b"}]}"""));

        Assert.Equal("Accounts:Seed", seed.Source);
    }

    [Fact]
    public void The_simulator_is_an_account_like_any_other() =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(AccountSeed.ForSimulator("http://127.0.0.1:1/")), JsonNode.Parse("""
            {"accounts":[{"name":"simulator","baseUrl":"http://127.0.0.1:1/v1","credential":{"kind":"bearer","token":"simulator"},"webSockets":true,"lanes":true}]}
            """)));

    [Fact]
    public void A_seed_file_travels_as_an_absolute_path() =>
        Assert.Equal(Path.Combine(Directory.GetCurrentDirectory(), "seed.json"), Read(("Accounts:SeedFile", "seed.json")).File);

    private static AccountSeed Read(params (string, string)[] entries)
    {
        var errors = new List<string>();
        var seed = AccountSeed.Read(Configuration(entries), errors);
        Assert.Empty(errors);
        return seed;
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] entries) => new ConfigurationBuilder()
        .AddInMemoryCollection(entries.ToDictionary(entry => entry.Key, entry => (string?)entry.Value)).Build();
}
