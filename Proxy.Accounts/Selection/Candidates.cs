using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;

namespace Proxy.Accounts.Selection;

/// <summary>The accounts that may serve a request, the preferred one by its index (-1 for none).</summary>
internal sealed record Candidates(IReadOnlyList<Account> Accounts, int PreferredIndex)
{
    /// <summary>
    /// Narrows the accounts to those that may serve the request, in the order in which a caller can do something about a refusal:
    /// the key, then the demanded domain or account, then model, protocol, exclusions and cool-downs.
    /// </summary>
    public static (Candidates? Candidates, AdmissionRefusal? Refusal) Choose(AccountsSnapshot snapshot, AdmissionRequest request, DateTimeOffset now)
    {
        var key = snapshot.FindKey(request.KeyId);
        if (request.KeyId != AccountsRoutes.Anonymous && key?.IsValidAt(now) != true)
        {
            return Refuse(RefusalReason.UnknownKey);
        }
        if (key is not null && (request.Model is { } model ? !NamePattern.AnyMatches(key.Models, model) : request.NeedsModel && !key.MayUseEveryModel))
        {
            return Refuse(RefusalReason.ModelNotAllowed);
        }

        var open = snapshot.Accounts.Where(account => IsOpenTo(account, key)).ToList();
        var isDemanded = request.Domain is not null || request.OnlyAccountId is not null;
        if (isDemanded)
        {
            open = [.. open.Where(account => (request.Domain is null || account.Domain == request.Domain)
                && (request.OnlyAccountId is null || account.Key == request.OnlyAccountId))];
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
            open = [.. open.Where(account => account.SpeaksWebSocketsAt(now))];
            if (open.Count == 0)
            {
                return Refuse(RefusalReason.NoWebSockets);
            }
        }

        // What has failed the turn is out of question however soon it is back: only the others' cool-downs are worth waiting for.
        var others = open.Where(account => request.ExcludedAccountIds?.Contains(account.Key) != true).ToList();
        if (others.Count == 0)
        {
            return Refuse(RefusalReason.NoOther);
        }
        // A request that takes no slot (reading or deleting what an account holds) is not what exhausts it.
        var ready = request.Purpose == AdmissionPurpose.Request
            ? others
            : [.. others.Where(account => account.CoolingAt(now, request.Model) is null)];
        if (ready.Count == 0)
        {
            return (null, new AdmissionRefusal(
                isDemanded ? RefusalReason.OwnerCooling : RefusalReason.AllCooling, others.Min(account => account.CoolingAt(now, request.Model)),
                OfModel: others.Any(account => account.CoolingAt(now) is null)));
        }
        return (new Candidates(ready, ready.FindIndex(account => account.Key == request.PreferredAccountId)), null);
    }

    /// <summary>
    /// The same accounts, beginning at another one for each turn. Of equally loaded accounts the first is leased: without this the others
    /// would stand idle until it is busy.
    /// </summary>
    public Candidates RotatedBy(Guid turnId)
    {
        var first = (int)((uint)turnId.GetHashCode() % Accounts.Count);
        return new([.. Accounts.Skip(first), .. Accounts.Take(first)], PreferredIndex < 0 ? -1 : (PreferredIndex - first + Accounts.Count) % Accounts.Count);
    }

    /// <summary>
    /// The account for what takes no slot: the preferred one, else one of the first priority that does not cool down, by weight.
    /// A socket that is opened so is where its turns would rather stay, so always taking the same one would load one account with all.
    /// </summary>
    public Account PickWithoutSlot(DateTimeOffset now)
    {
        if (PreferredIndex >= 0)
        {
            return Accounts[PreferredIndex];
        }
        var best = Accounts.GroupBy(account => (account.CoolingAt(now) is not null, account.Priority)).MinBy(group => group.Key)!.ToArray();
        var share = Random.Shared.Next(best.Sum(account => account.Weight));
        return best.First(account => (share -= account.Weight) < 0);
    }

    /// <summary>True if the key (null for callers without one) may use the account.</summary>
    public static bool IsOpenTo(Account account, ApiKey? key) =>
        account.State == AccountState.Active && (key is null || NamePattern.AnyMatches(key.Accounts, account.Name));

    private static (Candidates?, AdmissionRefusal?) Refuse(RefusalReason reason) => (null, new AdmissionRefusal(reason, Until: null));
}
