using AppHost.LocalRuntime.Output;

namespace AppHost.Tests;

public sealed class PrefixedLogTests
{
    [Theory]
    [InlineData("edge-0", "hello", "edge-0 | hello\n")]
    [InlineData("redis", "\e[31mred\e[0m", "redis | red\n")]
    [InlineData("redis", "", "redis | \n")]
    public void Plain_output_has_prefixes_and_no_colours(string name, string line, string expected) =>
        Assert.Equal(expected, Written(false, (name, line)));

    [Fact]
    public void On_a_terminal_each_name_keeps_its_own_colour() => Assert.Equal(
        "\e[36ma |\e[0m 1\n\e[33mb |\e[0m 2\n\e[36ma |\e[0m 3\n", Written(true, ("a", "1"), ("b", "2"), ("a", "3")));

    private static string Written(bool colours, params (string Name, string Line)[] lines)
    {
        using var writer = new StringWriter();
        var log = new PrefixedLog(writer, colours);
        foreach (var (name, line) in lines)
        {
            log.Write(name, line);
        }

        return writer.ToString();
    }
}
