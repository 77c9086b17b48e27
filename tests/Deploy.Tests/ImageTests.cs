using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Deploy.Tests;

/// <summary>That images are made under the names by which they are deployed.</summary>
public sealed class ImageTests
{
    /// <summary>The user app of .NET's images.</summary>
    public const long User = 1654;

    [Fact]
    public async Task Every_service_has_one()
    {
        string[] services = [.. ServiceContainer.All.Values.Select(container => container.Service).Distinct()];
        Assert.Equal(["accounts", "continuity", "edge"], services.Order());
        await Task.WhenAll(services.Select(CheckAsync));

        static async Task CheckAsync(string service)
        {
            var properties = await EvaluateAsync($"Proxy.{char.ToUpperInvariant(service[0])}{service[1..]}");
            Assert.Equal(ServiceContainer.ImagePrefix + service, properties["ContainerRepository"]);
            Assert.Equal("dev", properties["ContainerImageTag"]);
            Assert.Equal(User.ToString(CultureInfo.InvariantCulture), properties["ContainerUser"]);
            // Chiselled images are of use only without ICU.
            Assert.Equal("noble-chiselled", properties["ContainerFamily"]);
            Assert.Equal("true", properties["InvariantGlobalization"]);
        }
    }

    private static async Task<Dictionary<string, string>> EvaluateAsync(string project)
    {
        var start = new ProcessStartInfo("dotnet", ["msbuild", project, "-getProperty:ContainerRepository,ContainerImageTag,ContainerUser,ContainerFamily,InvariantGlobalization"])
        {
            WorkingDirectory = DeployFiles.Solution,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        using var document = JsonDocument.Parse(output);
        return document.RootElement.GetProperty("Properties").Deserialize<Dictionary<string, string>>()!;
    }
}
