using Proxy.Continuity.Contracts;
using Proxy.Edge.Protocol;
using Proxy.Edge.Recovery;
using ServiceDefaults.Http;

namespace Proxy.Edge.Turns;

/// <summary>Where a turn must or would rather go.</summary>
/// <param name="Domain">A demand: the ownership domain of the ids it names.</param>
/// <param name="PreferredAccountId">A preference: the owner itself, or the account that served the scope last.</param>
/// <param name="Source">Which store knew the owner; <c>unknown</c> if ids were named that nobody knows, <c>none</c> if none was named.</param>
/// <param name="TraceParent">The turn that minted the anchor.</param>
/// <param name="Anchor">What is known of the turn's anchor.</param>
/// <param name="OnlyEncrypted">The domain is demanded by nothing but encrypted content, which no other can read.</param>
/// <param name="Session">The session on which the anchor was made.</param>
/// <param name="Unknown">An id of which nothing is known although it should be; the anchor only if it is the only one.</param>
/// <param name="IsGuess">It names or carries something that is at home in one domain only, and nobody knows which.</param>
internal sealed record OwnerRoute(
    string? Domain, string? PreferredAccountId, string Source, string? TraceParent, Anchor Anchor = Anchor.None, bool OnlyEncrypted = false, string? Session = null,
    OwnedId? Unknown = null, bool IsGuess = false)
{
    /// <summary>
    /// The route by the owners of all ids a turn names. An id of another key does not exist for this one. An id of which nothing
    /// is known demands nothing: the account may know it, if it is nobody else's.
    /// </summary>
    public static (OwnerRoute? Route, ApiError? Error) Choose(IReadOnlyList<ResolvedOwner> owners, string? scopeAccountId)
    {
        var source = owners.Count == 0 ? "none" : "unknown";
        ResolvedOwner? first = null;
        foreach (var owner in owners)
        {
            if (owner.Outcome == OwnerOutcome.Foreign)
            {
                return (null, Errors.NotFound(owner.Id));
            }
            if (owner.Owner is null)
            {
                continue;
            }
            if (first is { Owner: { } known } && known.Domain != owner.Owner.Domain)
            {
                return (null, Errors.TwoOwners(first.Id.Id, owner.Id.Id));
            }
            first ??= owner;
            source = first.Source ?? source;
        }
        // The anchor is the first of a turn's demands.
        var anchor = owners is [{ Id.Kind: OwnedKinds.Response } anchored, ..] ? anchored.Owner switch
        {
            null => Anchor.Unknown,
            { Stored: true } => Anchor.Stored,
            _ => Anchor.Local,
        } : Anchor.None;
        return (new OwnerRoute(first?.Owner?.Domain, first?.Owner?.AccountId ?? scopeAccountId, source, first?.Owner?.TraceParent, anchor,
            Session: anchor == Anchor.Local ? owners[0].Owner?.Session : null,
            Unknown: FirstUnknown(owners),
            IsGuess: owners.Any(owner => owner.Owner is null && OwnedKinds.IsMadeElsewhere(owner.Id.Kind))), null);
    }

    // The anchor last: it may be forgiven.
    private static OwnedId? FirstUnknown(IReadOnlyList<ResolvedOwner> owners) => owners
        .Where(owner => owner.Owner is null && !OwnedKinds.IsMadeElsewhere(owner.Id.Kind)).Select(owner => owner.Id)
        .MinBy(id => id.Kind == OwnedKinds.Response);

    /// <summary>The same turn, to be tried where it was not thought to be at home.</summary>
    public OwnerRoute Elsewhere() => this with { Domain = OnlyEncrypted ? null : Domain, OnlyEncrypted = false, PreferredAccountId = null };

    /// <summary>The ids a turn names.</summary>
    public static IReadOnlyList<OwnedId> DemandsOf(TurnRequest request)
    {
        var demands = new List<OwnedId>(request.NamedIds.Count + 2);
        if (request.PreviousResponseId is { } anchor)
        {
            demands.Add(new OwnedId(OwnedKinds.Response, anchor));
        }
        if (request.ConversationId is { } conversation)
        {
            demands.Add(new OwnedId(OwnedKinds.Conversation, conversation));
        }
        demands.AddRange(request.NamedIds);
        return demands;
    }
}
