
namespace AppHost.LocalRuntime.Hosting;

/// <summary>The order that dependencies ask for.</summary>
internal static class StartOrder
{
    /// <summary>Names in ranks: each depends only on earlier ranks. Starting may go by ranks, stopping goes by ranks backwards.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> Ranks(IReadOnlyDictionary<string, IReadOnlyList<Dependency>> dependencies)
    {
        var ranks = new List<IReadOnlyList<string>>();
        var placed = new HashSet<string>();
        while (placed.Count < dependencies.Count)
        {
            var rank = dependencies.Keys
                .Where(name => !placed.Contains(name) && dependencies[name].All(d => placed.Contains(d.On) || !dependencies.ContainsKey(d.On)))
                .ToList();
            if (rank.Count == 0)
            {
                throw new InvalidOperationException(
                    $"These wait for one another: {string.Join(", ", dependencies.Keys.Where(name => !placed.Contains(name)))}.");
            }

            placed.UnionWith(rank);
            ranks.Add(rank);
        }

        return ranks;
    }
}
