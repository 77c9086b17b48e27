using AppHost.Topology;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

/// <summary>The password of a store, kept with the other secrets of the data directory.</summary>
internal static class StorePassword
{
    public static string Of(string store, IConfiguration configuration) => SecretFile.ReadOrCreate(
        Path.Combine(SolutionLayout.DataDirectory(configuration), "secrets", $"{store}-password"), SecretFile.NewToken);
}
