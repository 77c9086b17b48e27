using System.Runtime.CompilerServices;
using AppHost.Topology;
using Aspire.Hosting;

namespace AppHost.Tests;

/// <summary>The verbs of the local runtime: small on purpose, since each must behave as Aspire's verb of that name.</summary>
public sealed class VerbsTests
{
    [Fact]
    public void The_set_of_verbs_is_known()
    {
        var verbs = typeof(DistributedApplication).Assembly.GetExportedTypes()
            .Where(type => type.Namespace == "Aspire.Hosting")
            .SelectMany(type => type.GetMethods())
            .Where(method => method.IsDefined(typeof(ExtensionAttribute), inherit: false))
            .Select(method => method.Name)
            .Distinct()
            .Order(StringComparer.Ordinal);

        Assert.Equal(
            [
                "AddConnectionString", "AddDatabase", "AddParameter", "AddPostgres", "AddProject", "AddRedis",
                "GetEndpoint", "OnResourceReady", "WaitFor", "WaitForCompletion", "WithArgs", "WithEnvironment",
                "WithExternalHttpEndpoints", "WithHttpEndpoint", "WithHttpHealthCheck", "WithReference",
            ],
            verbs);
    }

    [Fact]
    public void Containers_need_the_other_back_end() =>
        Assert.Contains("needs the Aspire back end", BackEnd.Objection(StoresMode.Containers), StringComparison.Ordinal);

    [Fact]
    public void A_name_is_given_once()
    {
        var builder = DistributedApplication.CreateBuilder([]);
        _ = builder.AddProject("one", "One.csproj");

        _ = Assert.Throws<InvalidOperationException>(() => builder.AddProject("One", "One.csproj"));
    }
}
