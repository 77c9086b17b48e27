using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;

namespace Proxy.Accounts.Selection;

/// <summary>The accounts that may serve a request, the preferred one by its index (-1 for none).</summary>
internal sealed record Candidates(IReadOnlyList<Account> Accounts, int PreferredIndex)
{
    /// <summary>
    /// Narrows the accounts to those that may serve the request, in the order in which a caller can do something about a refusal:
    /// the key, then the demanded domain, then model, protocol and cool-downs.
    /// </summary>
    public static (Candidates? Candidates, AdmissionRefusal? Refusal) Choose(AccountsSnapshot snapshot, AdmissionRequest request, DateTimeOffset now)
    {
        var key = snapshot.FindKey(request.KeyId);
        if (request.KeyId != AccountsRoutes.Anonymous && key?.IsValidAt(now) != true)
        {
            return Refuse(RefusalReason.UnknownKey);
        }
        if (key is not null && request.Model is not null && !NamePattern.AnyMatches(key.Models, request.Model))
        {
            return Refuse(RefusalReason.ModelNotAllowed);
        }

        var open = snapshot.Accounts.Where(account => IsOpenTo(account, key)).ToList();
        if (request.Domain is not null)
        {
            open = [.. open.Where(account => account.Domain == request.Domain)];
            if (open.Count == 0)
            {
                return Refuse(RefusalReason.OwnerGone);
            }
        }
        if (open.Count == 0)
        {
            return Refuse(RefusalReason.NoAccounts);
        }
        if (request.Model is not null)
        {
            open = [.. open.Where(account => NamePattern.AnyMatches(account.Models, request.Model))];
            if (open.Count == 0)
            {
                return Refuse(RefusalReason.ModelNotServed);
            }
        }
        if (request.NeedsWebSockets)
        {
            open = [.. open.Where(account => account.WebSockets)];
            if (open.Count == 0)
            {
                return Refuse(RefusalReason.NoWebSockets);
            }
        }

        // A request that takes no slot (reading or deleting what an account holds) is not what exhausts it.
        var ready = request.Purpose == AdmissionPurpose.Request
            ? open
            : [.. open.Where(account => account.CoolingAt(now) is null)];
        if (ready.Count == 0)
        {
            return Refuse(request.Domain is null ? RefusalReason.AllCooling : RefusalReason.OwnerCooling, open.Min(account => account.CoolingAt(now)));
        }
        var eligible = ready.Where(account => request.ExcludedAccountIds?.Contains(account.Key) != true).ToList();
        if (eligible.Count == 0)
        {
            return Refuse(request.Domain is null ? RefusalReason.NoAccounts : RefusalReason.OwnerCooling);
        }
        // Of equal accounts the first is taken, so each turn begins at another one: else idle accounts would stay idle.
        var first = (int)((uint)request.TurnId.GetHashCode() % eligible.Count);
        eligible = [.. eligible[first..], .. eligible[..first]];
        return (new Candidates(eligible, eligible.FindIndex(account => account.Key == request.PreferredAccountId)), null);
    }

    /// <summary>True if the key (null for callers without one) may use the account.</summary>
    public static bool IsOpenTo(Account account, ApiKey? key) =>
        account.State == AccountState.Active && (key is null || NamePattern.AnyMatches(key.Accounts, account.Name));

    private static (Candidates?, AdmissionRefusal?) Refuse(RefusalReason reason, DateTimeOffset? until = null) => (null, new AdmissionRefusal(reason, until));
}
