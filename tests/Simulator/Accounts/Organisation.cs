using System.Security.Cryptography;
using System.Text;
using Simulator.Responses;

namespace Simulator.Accounts;

/// <summary>The extent in which an id or an encrypted item is valid (the "ownership domain" of the proxy).</summary>
public sealed class Organisation(string name)
{
    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>A mark that stands for it in encrypted content, without giving away the token its name may be made of.</summary>
    internal string Mark { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 8));

    internal Shelf<StoredResponse> Responses { get; } = new(10_000);

    internal Shelf<Conversation> Conversations { get; } = new(10_000);

    internal Shelf<StoredFile> Files { get; } = new(1_000);

    /// <summary>Vector stores, containers and the like.</summary>
    internal Shelf<StoredObject> Objects { get; } = new(1_000);

    /// <summary>Output items of stored responses, which a request may name.</summary>
    internal Shelf<string> Items { get; } = new(20_000);
}
