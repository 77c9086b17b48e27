using System.Net;
using Proxy.Accounts.Contracts;

namespace Proxy.Edge.Clients;

/// <summary>The accounts service, each call bounded. Its calls are idempotent, so one that failed on the way is made once more.</summary>
internal sealed class AccountsClient(HttpClient http)
{
    private static readonly TimeSpan ShortBound = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan GrantsBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SettleBound = TimeSpan.FromSeconds(30);

    /// <summary>The key; its absence; or that the service does not answer.</summary>
    public async Task<(CheckedKey? Key, bool Answered)> CheckKeyAsync(string keyHash, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.CheckKey, new CheckKeyRequest(keyHash), AccountsJson.Default.CheckKeyRequest, ShortBound, mayRepeat: true, cancellationToken);
        var known = await response.TryReadAsync(AccountsJson.Default.CheckedKey, cancellationToken);
        return (known, known is not null || response?.StatusCode == HttpStatusCode.NotFound);
    }

    /// <summary>What those of the keys that are valid may use; null when the service does not answer.</summary>
    public async Task<KeyGrantsResponse?> ListGrantsAsync(IReadOnlyList<string> keyIds, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.KeyGrants, new KeyGrantsRequest(keyIds), AccountsJson.Default.KeyGrantsRequest, GrantsBound, mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(AccountsJson.Default.KeyGrantsResponse, cancellationToken);
    }

    /// <summary>An account or a refusal; null when the service does not answer.</summary>
    public async Task<AdmissionResponse?> AdmitAsync(AdmissionRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(
            AccountsRoutes.Admit, request, AccountsJson.Default.AdmissionRequest, ShortBound + TimeSpan.FromMilliseconds(request.WaitMs), mayRepeat: true, cancellationToken);
        return await response.TryReadAsync(AccountsJson.Default.AdmissionResponse, cancellationToken);
    }

    /// <summary>
    /// Gives back what a turn may hold that stopped waiting for its admission; false when the service does not answer. Whoever waited has gone, so this has a bound of its
    /// own; if it fails, the lease ends by itself.
    /// </summary>
    public async Task<bool> AbandonAsync(Guid turnId)
    {
        using var response = await http.TryPostAsync(
            AccountsRoutes.Abandon, new AbandonRequest(turnId), AccountsJson.Default.AbandonRequest, ShortBound, mayRepeat: true, CancellationToken.None);
        return response?.IsSuccessStatusCode == true;
    }

    /// <summary>Prefetches slots; null when the service does not answer, and some of them may be leased.</summary>
    public async Task<PrefetchResponse?> PrefetchAsync(PrefetchRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.Prefetch, request, AccountsJson.Default.PrefetchRequest, ShortBound, mayRepeat: false, cancellationToken);
        return await response.TryReadAsync(AccountsJson.Default.PrefetchResponse, cancellationToken);
    }

    /// <summary>What has become of slots that were prefetched; null when the service does not answer.</summary>
    public async Task<RenewPrefetchedResponse?> RenewPrefetchedAsync(RenewPrefetchedRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.RenewPrefetched, request, AccountsJson.Default.RenewPrefetchedRequest, ShortBound, mayRepeat: false, cancellationToken);
        return await response.TryReadAsync(AccountsJson.Default.RenewPrefetchedResponse, cancellationToken);
    }

    /// <summary>Returns slots that no turn has taken. Nobody waits for it, so this has a bound of its own; if it fails, the leases end by themselves.</summary>
    public async Task ReturnSlotsAsync(IReadOnlyList<SlotLease> slots)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.ReturnSlots, new(slots), AccountsJson.Default.ReturnSlotsRequest, ShortBound, mayRepeat: true, CancellationToken.None);
    }

    /// <summary>The leases that were lost, or null when the service does not answer.</summary>
    public async Task<RenewResponse?> RenewAsync(IReadOnlyList<SlotLease> leases, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.Renew, new RenewRequest(leases), AccountsJson.Default.RenewRequest, ShortBound, mayRepeat: false, cancellationToken);
        return await response.TryReadAsync(AccountsJson.Default.RenewResponse, cancellationToken);
    }

    /// <summary>True when all turns are settled.</summary>
    public async Task<Delivery> SettleAsync(IReadOnlyList<SettledTurn> turns, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.Settle, new SettleRequest(turns), AccountsJson.Default.SettleRequest, SettleBound, mayRepeat: false, cancellationToken);
        return Deliveries.Of(response, taken: HttpStatusCode.NoContent);
    }

    /// <summary>True when the account is marked.</summary>
    public async Task<bool> MarkAsync(MarkRequest mark, CancellationToken cancellationToken)
    {
        using var response = await http.TryPostAsync(AccountsRoutes.Mark, mark, AccountsJson.Default.MarkRequest, ShortBound, mayRepeat: true, cancellationToken);
        return response?.StatusCode == HttpStatusCode.NoContent;
    }

    /// <summary>The accounts open to a key, or null when the service does not answer.</summary>
    public async Task<OpenAccountsResponse?> ListOpenAsync(string keyId, CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(ShortBound);
        try
        {
            return await http.GetFromJsonAsync($"{AccountsRoutes.OpenAccounts}?keyId={Uri.EscapeDataString(keyId)}", AccountsJson.Default.OpenAccountsResponse, bound.Token);
        }
        catch (Exception exception) when (ServiceCalls.IsNoAnswer(exception, cancellationToken))
        {
            return null;
        }
    }
}
