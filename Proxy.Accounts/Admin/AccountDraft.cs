using System.Text.Json.Serialization;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Admin;

/// <summary>An account as the seed and the admin API write it.</summary>
internal sealed class AccountDraft
{
    /// <summary>Unique; 1 to 100 characters.</summary>
    public string? Name { get; set; }

    /// <summary>Everything before <c>/responses</c>, for example <c>https://api.openai.com/v1</c>.</summary>
    public string? BaseUrl { get; set; }

    /// <summary>The ownership domain; by default the account is its own.</summary>
    public string? Domain { get; set; }

    /// <summary>How the account is authenticated upstream. Required for a new account; never answered.</summary>
    public CredentialDraft? Credential { get; set; }

    /// <summary>True if upstream speaks the Responses API over WebSocket. Default false.</summary>
    public bool? WebSockets { get; set; }

    /// <summary>True if its WebSocket carries several lanes (<c>stream_id</c>). Default false.</summary>
    public bool? Lanes { get; set; }

    /// <summary>Lower is used first. Default 0.</summary>
    public int? Priority { get; set; }

    /// <summary>Share of the load beside others, 1 to 1000. Default 1.</summary>
    public int? Weight { get; set; }

    /// <summary>Turns at once over all edges, 1 to 100000. Default 8.</summary>
    public int? MaxConcurrentTurns { get; set; }

    /// <summary>Models it serves; a pattern may end in <c>*</c>. Default <c>["*"]</c>.</summary>
    public List<string>? Models { get; set; }

    /// <summary><c>active</c> or <c>disabled</c>.</summary>
    public string? State { get; set; }

    /// <summary>Ends a cool-down when set to false.</summary>
    public bool? Cooling { get; set; }

    /// <summary>What is wrong with the draft, all of it.</summary>
    /// <param name="allowsLinkLocal">Whether upstream may be at a link-local address.</param>
    public IEnumerable<string> Validate(bool isNew, bool allowsLinkLocal = false)
    {
        if (Name is null ? isNew : !DraftText.IsName(Name))
        {
            yield return "name is required and has at most 100 characters.";
        }
        if (Domain is not null && !DraftText.IsName(Domain))
        {
            yield return "domain must have 1 to 100 characters.";
        }
        if ((isNew || BaseUrl is not null) && UpstreamAddress.FindError(BaseUrl, allowsLinkLocal) is { } error)
        {
            yield return error;
        }
        if (isNew && Credential is null)
        {
            yield return "credential is required.";
        }
        if (Credential is not null && (Credential.CredentialKind is null || !DraftText.IsToken(Credential.Token)))
        {
            yield return "credential needs a kind (bearer or azure) and a token that fits a header.";
        }
        if (Weight is < 1 or > 1000)
        {
            yield return "weight must be 1 to 1000.";
        }
        if (MaxConcurrentTurns is < 1 or > 100_000)
        {
            yield return "maxConcurrentTurns must be 1 to 100000.";
        }
        if (Models is not null && (Models.Count == 0 || !Models.TrueForAll(DraftText.IsName)))
        {
            yield return "models must name at least one model or pattern.";
        }
        if (State is not (null or "active" or "disabled"))
        {
            yield return "state must be active or disabled.";
        }
    }

    /// <summary>A new account from a valid draft.</summary>
    public Account Create() => new(
        Guid.CreateVersion7(), Name!.Trim(), BaseUrl!.Trim().TrimEnd('/'), Domain?.Trim() ?? Name.Trim(), Credential!.CredentialKind!.Value, new Secret(Credential.Token!),
        WebSockets ?? false, Lanes ?? false, Priority ?? 0, Weight ?? 1, MaxConcurrentTurns ?? 8, Models ?? ["*"],
        State == "disabled" ? AccountState.Disabled : AccountState.Active, null, null);

    /// <summary>The account with what the draft names changed.</summary>
    public Account ApplyTo(Account account) => account with
    {
        Name = Name?.Trim() ?? account.Name,
        BaseUrl = BaseUrl?.Trim().TrimEnd('/') ?? account.BaseUrl,
        Domain = Domain?.Trim() ?? account.Domain,
        CredentialKind = Credential?.CredentialKind ?? account.CredentialKind,
        Credential = Credential is null ? account.Credential : new Secret(Credential.Token!),
        WebSockets = WebSockets ?? account.WebSockets,
        Lanes = Lanes ?? account.Lanes,
        Priority = Priority ?? account.Priority,
        Weight = Weight ?? account.Weight,
        MaxConcurrentTurns = MaxConcurrentTurns ?? account.MaxConcurrentTurns,
        Models = Models ?? account.Models,
        State = State switch
        {
            "active" => AccountState.Active,
            "disabled" => AccountState.Disabled,
            // A new credential is what an account that has to be authenticated anew waits for.
            _ when Credential is not null && account.State == AccountState.ReauthRequired => AccountState.Active,
            _ => account.State,
        },
        CoolingUntil = Cooling == false ? null : account.CoolingUntil,
    };
}

/// <summary>A credential on its way in.</summary>
internal sealed class CredentialDraft
{
    /// <summary><c>bearer</c> or <c>azure</c>.</summary>
    public string? Kind { get; set; }

    /// <summary>The token or key itself.</summary>
    public string? Token { get; set; }

    [JsonIgnore]
    internal CredentialKind? CredentialKind => Kind switch
    {
        "bearer" => Contracts.CredentialKind.Bearer,
        "azure" => Contracts.CredentialKind.Azure,
        _ => null,
    };
}
