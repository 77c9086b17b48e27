using System.Collections.Concurrent;

namespace Simulator.Accounts;

/// <summary>All accounts and organisations. A token that is met for the first time becomes an account in an organisation of its own.</summary>
public sealed class AccountDirectory
{
    private readonly ConcurrentDictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Organisation> _organisations = new(StringComparer.Ordinal);

    /// <summary>The only tokens that are accepted; null for any.</summary>
    public IReadOnlyCollection<string>? Allowed { get; set; }

    /// <summary>The accounts met so far.</summary>
    public IEnumerable<Account> All => _accounts.Values;

    /// <summary>The account of a token.</summary>
    public Account Get(string token) => _accounts.GetOrAdd(token, static (t, self) => new Account(t, self.Organisation("org-" + t)), this);

    /// <summary>Puts accounts into one organisation.</summary>
    public Organisation Organisation(string name, params IEnumerable<string> tokens)
    {
        var organisation = _organisations.GetOrAdd(name, static n => new Organisation(n));
        foreach (var token in tokens)
        {
            Get(token).Organisation = organisation;
        }

        return organisation;
    }

    /// <summary>The account a request authenticates as; null if it does not.</summary>
    internal Account? Authenticate(HttpRequest request)
    {
        var authorization = request.Headers.Authorization.ToString();
        var token = authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? authorization[7..].Trim()
            : request.Headers["api-key"].ToString();
        return token.Length == 0 || (Allowed is { } allowed && !allowed.Contains(token)) ? null : Get(token);
    }
}
