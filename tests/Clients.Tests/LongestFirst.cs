using Xunit.Abstractions;

[assembly: TestCollectionOrderer("Clients.Tests.LongestFirst", "Clients.Tests")]

namespace Clients.Tests;

/// <summary>What takes longest begins first, so that in the end nothing is left to wait for alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderByDescending(collection => collection.DisplayName.Contains(nameof(RollingRestartTests), StringComparison.Ordinal));
}
