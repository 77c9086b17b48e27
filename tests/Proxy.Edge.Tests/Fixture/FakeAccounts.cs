using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Proxy.Accounts.Contracts;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>
/// The accounts service: admits to the demanded, else the preferred, else the first account that has not failed the turn, without caps.
/// A turn that asks again without moving gets the account it holds.
/// </summary>
internal sealed class FakeAccounts : FakeService
{
    private readonly ConcurrentDictionary<Guid, string> _slots = new();

    private readonly ConcurrentDictionary<Guid, bool> _abandoned = new();
    private readonly ConcurrentDictionary<(string Account, string? Model), DateTimeOffset> _cooling = new();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _withoutWebSockets = new();

    /// <summary>Replaced as a whole: requests read it while tests change it.</summary>
    public IReadOnlyList<AdmittedAccount> All { get; private set; } = [];

    /// <summary>Keys by their text.</summary>
    public Dictionary<string, CheckedKey> Keys { get; } = new() { ["sk-1"] = new("key-1", "one"), ["sk-2"] = new("key-2", "two") };

    public bool IsSoleKey { get; set; } = true;

    /// <summary>Whether the connection is cut when an admission has been decided.</summary>
    public Func<bool> LosesAnswer { get; set; } = () => false;

    public ConcurrentQueue<AdmissionRequest> Asked { get; } = new();

    public ConcurrentQueue<SettledTurn> Settled { get; } = new();

    public ConcurrentQueue<MarkRequest> Marks { get; } = new();

    /// <summary>Whether a marked account is refused until its mark ends.</summary>
    public bool MarksCool { get; set; }

    /// <summary>Admissions that were to move a slot which the turn did not hold.</summary>
    public ConcurrentQueue<AdmissionRequest> MovedWrongly { get; } = new();

    /// <summary>What happens before an admission that asks for a new credential is answered: a test's chance to rotate it.</summary>
    public Action<AdmissionRequest> OnRefresh { get; set; } = _ => { };

    /// <summary>Admissions of turns.</summary>
    public IEnumerable<AdmissionRequest> AskedForTurns => Asked.Where(request => request.Purpose == AdmissionPurpose.Turn);

    public ConcurrentQueue<(string Method, string Path, string? Authorization)> Admin { get; } = new();

    /// <summary>How many slots it prefetches at once.</summary>
    public int RoomToPrefetch { get; set; } = int.MaxValue;

    /// <summary>The state of accounts and keys, as slots prefetched are told it.</summary>
    public string Version { get; set; } = "1";

    /// <summary>Accounts for which somebody else waits.</summary>
    public IReadOnlyList<string> Wanted { get; set; } = [];

    /// <summary>How often slots prefetched were asked for whether they stand.</summary>
    public int Confirmations { get; private set; }

    /// <summary>Calls that came while the service was away.</summary>
    public int Missed { get; private set; }

    public ConcurrentQueue<PrefetchRequest> Prefetches { get; } = new();

    public ConcurrentQueue<SlotLease> Returned { get; } = new();

    public ConcurrentQueue<StartedTurn> Started { get; } = new();

    /// <summary>Slots of turns that are not settled.</summary>
    public int Slots => _slots.Count;

    /// <summary>Leases to be told as lost.</summary>
    public ConcurrentDictionary<Guid, bool> Lost { get; } = new();

    public ConcurrentDictionary<Guid, string> Held => _slots;

    /// <summary>Answers an admission; null is 503.</summary>
    public Func<AdmissionRequest, Task<AdmissionResponse?>> OnAdmit { get; set; }

    /// <summary>What a key may use; null for one that is not valid any more.</summary>
    public Func<string, KeyGrant?> OnGrant { get; set; } = id => new KeyGrant(id, ["*"], ["*"]);

    /// <summary>Answers a settlement by a status.</summary>
    public Func<SettleRequest, Task<int>> OnSettle { get; set; } = _ => Task.FromResult(204);

    /// <summary>The body that answers a renewal, where it is not the right one.</summary>
    public string? RenewAnswer { get; set; }

    public int Renewals { get; private set; }

    public bool IsAway { get; set; }

    /// <summary>How often keys were asked for while the service was away.</summary>
    public int GrantsMissed { get; private set; }

    public FakeAccounts() => OnAdmit = request => Task.FromResult<AdmissionResponse?>(Admit(request));

    /// <summary>Adds an account, or changes it.</summary>
    public void Put(AdmittedAccount account) => All = [.. All.Where(known => known.Id != account.Id), account];

    /// <summary>Forgets what was asked and settled.</summary>
    public void Forget()
    {
        _abandoned.Clear();
        Asked.Clear();
        Settled.Clear();
    }

    /// <summary>Takes an account away, as an administrator who disables it does.</summary>
    public void Remove(string token) => All = [.. All.Where(known => known.Id != $"acc-{token}")];

    /// <summary>Gives an account another credential; its place stays.</summary>
    public void Rotate(string token, string credential) =>
        All = [.. All.Select(known => known.Id == $"acc-{token}" ? known with { Token = credential } : known)];

    /// <summary>Lets an account cool down.</summary>
    public void Cool(string token, DateTimeOffset until) => _cooling[($"acc-{token}", null)] = until;

    /// <summary>Lets an account cool down for one model.</summary>
    public void Cool(string token, string model, DateTimeOffset until) => _cooling[($"acc-{token}", model)] = until;

    /// <summary>The default admission.</summary>
    public AdmissionResponse Admit(AdmissionRequest request)
    {
        var now = TimeProvider.System.GetUtcNow();
        var open = All.Select(account => _withoutWebSockets.TryGetValue(account.Id, out var refused) && refused > now ? account with { WebSockets = false } : account).ToList();
        if (request.MovesFrom is null && _slots.TryGetValue(request.TurnId, out var held)
            && open.FirstOrDefault(account => account.Id == held) is { } holding && request.ExcludedAccountIds?.Contains(held) != true)
        {
            return new AdmissionResponse(holding, null);
        }
        var demands = request.Domain is not null || request.OnlyAccountId is not null;
        var able = open.Where(account => (account.WebSockets || !request.NeedsWebSockets)
            && (request.Domain is null || account.Domain == request.Domain)
            && (request.OnlyAccountId is null || account.Id == request.OnlyAccountId)).ToList();
        if (able.Count == 0)
        {
            return Refuse(demands ? RefusalReason.OwnerGone : request.NeedsWebSockets ? RefusalReason.NoWebSockets : RefusalReason.NoAccounts);
        }
        able.RemoveAll(account => request.ExcludedAccountIds?.Contains(account.Id) == true);
        if (able.Count == 0)
        {
            return Refuse(RefusalReason.NoOther);
        }
        DateTimeOffset Back(AdmittedAccount account, string? model) => _cooling.TryGetValue((account.Id, model), out var until) ? until : default;
        DateTimeOffset BackFor(AdmittedAccount account) => Back(account, null) > Back(account, request.Model) ? Back(account, null) : Back(account, request.Model);
        var back = able.Min(BackFor);
        var ofModel = able.Exists(account => Back(account, null) <= now);
        if (request.Purpose == AdmissionPurpose.Turn)
        {
            able.RemoveAll(account => BackFor(account) > now);
        }
        return able.Count == 0
            ? new AdmissionResponse(null, new AdmissionRefusal(demands ? RefusalReason.OwnerCooling : RefusalReason.AllCooling, back, ofModel))
            : new AdmissionResponse(able.FirstOrDefault(account => account.Id == request.PreferredAccountId) ?? able[0], null);
    }

    /// <summary>Refuses every turn, or all requests.</summary>
    public void Refuses(RefusalReason reason, DateTimeOffset? until = null) => OnAdmit = _ => Task.FromResult<AdmissionResponse?>(Refuse(reason, until));

    public static AdmissionResponse Refuse(RefusalReason reason, DateTimeOffset? until = null) => new(null, new AdmissionRefusal(reason, until));

    protected override void Map(WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (!IsAway)
            {
                return next(context);
            }
            Missed++;
            GrantsMissed += context.Request.Path == AccountsRoutes.KeyGrants ? 1 : 0;
            context.Abort();
            return Task.CompletedTask;
        });
        MapInternal(app, AccountsRoutes.CheckKey, AccountsJson.Default.CheckKeyRequest, (context, request) =>
        {
            var key = Keys.FirstOrDefault(key => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key.Key))) == request.KeyHash).Value;
            if (key is null)
            {
                context.Response.StatusCode = 404;
                return Task.CompletedTask;
            }
            return WriteAsync(context, key, AccountsJson.Default.CheckedKey);
        });
        MapInternal(app, AccountsRoutes.KeyGrants, AccountsJson.Default.KeyGrantsRequest, (context, request) =>
            WriteAsync(context, new KeyGrantsResponse([.. request.KeyIds.Select(id => OnGrant(id)).OfType<KeyGrant>()]), AccountsJson.Default.KeyGrantsResponse));
        MapInternal(app, AccountsRoutes.Admit, AccountsJson.Default.AdmissionRequest, async (context, request) =>
        {
            Asked.Enqueue(request);
            if (request.RefreshCredential)
            {
                OnRefresh(request);
            }
            // A turn that was given up has given its slot back, and its last request may come after that.
            if (request.MovesFrom is { } from && _slots.GetValueOrDefault(request.TurnId) != from && !_abandoned.ContainsKey(request.TurnId))
            {
                MovedWrongly.Enqueue(request);
            }
            var answer = await OnAdmit(request);
            if (answer?.Account is { } account && request.Purpose == AdmissionPurpose.Turn)
            {
                _slots[request.TurnId] = account.Id;
                if (_abandoned.ContainsKey(request.TurnId))
                {
                    // The edge gave up waiting while this was on its way; the real service's lease would end by itself.
                    _slots.TryRemove(request.TurnId, out _);
                }
            }
            if (LosesAnswer())
            {
                context.Abort();
                return;
            }
            await WriteAsync(context, answer, AccountsJson.Default.AdmissionResponse);
        });
        MapInternal(app, AccountsRoutes.Abandon, AccountsJson.Default.AbandonRequest, (context, request) =>
        {
            _abandoned[request.TurnId] = true;
            _slots.TryRemove(request.TurnId, out _);
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        });
        MapInternal(app, AccountsRoutes.Prefetch, AccountsJson.Default.PrefetchRequest, (context, request) =>
        {
            Prefetches.Enqueue(request);
            var leased = request.TurnIds.Take(RoomToPrefetch).Select(id => (Id: id, Admit(new(id, AdmissionPurpose.Turn, request.KeyId, request.Model, null, request.PreferredAccountId, null, request.NeedsWebSockets, 0)).Account))
                .Where(lease => lease.Account is not null).ToList();
            leased.ForEach(lease => _slots[lease.Id] = lease.Account!.Id);
            return WriteAsync(context, new PrefetchResponse(Version, [.. leased.Select(lease => new SlotLease(lease.Id, lease.Account!.Id))], [.. leased.Select(lease => lease.Account!).Distinct()]), AccountsJson.Default.PrefetchResponse);
        });
        MapInternal(app, AccountsRoutes.RenewPrefetched, AccountsJson.Default.RenewPrefetchedRequest, (context, request) =>
        {
            Confirmations++;
            foreach (var started in request.Started)
            {
                Started.Enqueue(started);
            }
            return WriteAsync(context, new RenewPrefetchedResponse(Version, [.. request.Leases.Select(lease => lease.TurnId).Where(Lost.ContainsKey)], Wanted), AccountsJson.Default.RenewPrefetchedResponse);
        });
        MapInternal(app, AccountsRoutes.ReturnSlots, AccountsJson.Default.ReturnSlotsRequest, (context, request) =>
        {
            foreach (var lease in request.Leases)
            {
                _slots.TryRemove(lease.TurnId, out _);
                Returned.Enqueue(lease);
            }
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        });
        MapInternal(app, AccountsRoutes.Renew, AccountsJson.Default.RenewRequest, (context, request) =>
        {
            Renewals++;
            return RenewAnswer is { } text
                ? context.Response.WriteAsync(text)
                : WriteAsync(context, new RenewResponse([.. request.Leases.Select(lease => lease.TurnId).Where(Lost.ContainsKey)]), AccountsJson.Default.RenewResponse);
        });
        MapInternal(app, AccountsRoutes.Settle, AccountsJson.Default.SettleRequest, async (context, request) =>
        {
            context.Response.StatusCode = await OnSettle(request);
            if (context.Response.StatusCode == 204)
            {
                foreach (var turn in request.Turns)
                {
                    _slots.TryRemove(turn.TurnId, out _);
                    Settled.Enqueue(turn);
                }
            }
        });
        MapInternal(app, AccountsRoutes.Mark, AccountsJson.Default.MarkRequest, (context, request) =>
        {
            Marks.Enqueue(request);
            if (request.OnlyWebSockets)
            {
                _withoutWebSockets[request.AccountId] = request.Until;
            }
            else if (MarksCool)
            {
                _cooling[(request.AccountId, request.Model)] = request.Until;
            }
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        });
        app.MapGet(AccountsRoutes.OpenAccounts, context => WriteAsync(context, new OpenAccountsResponse(All, ["gpt-*"], IsSoleKey), AccountsJson.Default.OpenAccountsResponse));
        app.Map(AccountsRoutes.Admin + "/{**rest}", async context =>
        {
            Admin.Enqueue((context.Request.Method, context.Request.Path, context.Request.Headers.Authorization));
            context.Response.StatusCode = 418;
            await context.Response.WriteAsync("admin");
        });
    }
}
