using Proxy.Accounts.Accounts;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;
using Proxy.Accounts.Selection;

namespace Proxy.Accounts.Tests;

public sealed class CandidatesTests
{
    private static readonly DateTimeOffset Soon = Some.Now.AddMinutes(5);
    private static readonly DateTimeOffset Later = Some.Now.AddMinutes(50);

    [Fact]
    public void All_active_accounts_are_candidates_of_a_caller_who_asks_for_nothing_in_particular() =>
        Assert.Equal("a b", Choose(Some.Request(), [Some.Account("a"), Some.Account("b"), Some.Account("c") with { State = AccountState.Disabled }]));

    [Fact]
    public void A_key_that_is_unknown_revoked_or_expired_gets_nothing()
    {
        var account = Some.Account("a");
        Assert.Equal("UnknownKey", Choose(Some.Request("nobody"), [account]));
        Assert.Equal("UnknownKey", Choose(Some.Key() with { RevokedAt = Some.Now }, [account]));
        Assert.Equal("UnknownKey", Choose(Some.Key() with { ExpiresAt = Some.Now }, [account]));
        Assert.Equal("a", Choose(Some.Key() with { ExpiresAt = Soon }, [account]));
    }

    [Fact]
    public void A_key_sees_only_its_models_and_its_accounts()
    {
        Account[] accounts = [Some.Account("eu-1"), Some.Account("us-1")];
        Assert.Equal("ModelNotAllowed", Choose(Some.Key() with { Models = ["o3"] }, accounts));
        Assert.Equal("eu-1 us-1", Choose(Some.Key() with { Models = ["o3", "gpt-*"] }, accounts));
        Assert.Equal("us-1", Choose(Some.Key() with { Accounts = ["us-*"] }, accounts));
        Assert.Equal("NoAccounts", Choose(Some.Key() with { Accounts = ["ap-1"] }, accounts));
        Assert.Equal("NoAccounts", Choose(Some.Request(), []));
    }

    // Upstream would choose one, and which it is was the key's to say.
    [Fact]
    public void A_key_of_some_models_names_one_where_a_model_is_put_to_work()
    {
        Account[] accounts = [Some.Account("a")];
        var key = Some.Key() with { Models = ["gpt-*"] };
        var unnamed = Some.Request(key.Key) with { Model = null };
        Assert.Equal("a", Choose(unnamed, accounts, key));
        Assert.Equal("ModelNotAllowed", Choose(unnamed with { NeedsModel = true }, accounts, key));
        Assert.Equal("a", Choose(unnamed with { NeedsModel = true }, accounts, key with { Models = ["o3", "*"] }));
        Assert.Equal("a", Choose(Some.Request() with { Model = null, NeedsModel = true }, accounts));
    }

    [Fact]
    public void A_demanded_domain_is_the_only_one_that_will_do()
    {
        Account[] accounts = [Some.Account("a", "org"), Some.Account("b", "org"), Some.Account("c")];
        var demand = Some.Request() with { Domain = "org" };
        Assert.Equal("a b", Choose(demand, accounts));
        Assert.Equal("OwnerGone", Choose(demand with { Domain = "another" }, accounts));
        Assert.Equal("OwnerGone", Choose(demand, [.. accounts.Select(account => account with { State = AccountState.Disabled })]));
        Assert.Equal("OwnerGone", Choose(demand, [.. accounts.Select(account => account with { State = AccountState.ReauthRequired })]));
        Assert.Equal($"OwnerCooling {Soon:HH:mm}", Choose(demand, [.. accounts.Select(account => account with { CoolingUntil = Soon })]));
        Assert.Equal("b", Choose(demand, [accounts[0] with { CoolingUntil = Soon }, accounts[1], accounts[2]]));
    }

    [Fact]
    public void An_account_must_serve_the_model_and_speak_the_protocol()
    {
        Account[] accounts = [Some.Account("a") with { Models = ["o3"] }, Some.Account("b") with { WebSockets = false }];
        Assert.Equal("b", Choose(Some.Request(), accounts));
        Assert.Equal("a b", Choose(Some.Request() with { Model = null }, accounts));
        Assert.Equal("ModelNotServed", Choose(Some.Request() with { Model = "gpt-9" }, [accounts[0]]));
        Assert.Equal("NoWebSockets", Choose(Some.Request() with { NeedsWebSockets = true }, accounts));
    }

    [Fact]
    public void A_model_that_cools_down_leaves_the_account_to_the_others()
    {
        Account[] accounts = [Some.Account("a") with { CoolingModels = new Dictionary<string, DateTimeOffset> { ["gpt-5.6"] = Soon, ["o3"] = Some.Now } }, Some.Account("b")];
        Assert.Equal("b", Choose(Some.Request() with { Model = "gpt-5.6" }, accounts));
        Assert.Equal("a b", Choose(Some.Request() with { Model = "gpt-5.7" }, accounts));
        Assert.Equal("a b", Choose(Some.Request() with { Model = "o3" }, accounts));
        Assert.Equal("a b", Choose(Some.Request() with { Model = null }, accounts));

        AdmissionRefusal Refused(params Account[] among) => Candidates.Choose(new AccountsSnapshot("0", among, []), Some.Request() with { Model = "gpt-5.6" }, Some.Now).Refusal!;
        Assert.Equal(new AdmissionRefusal(RefusalReason.AllCooling, Soon, OfModel: true), Refused(accounts[0]));
        Assert.Equal(new AdmissionRefusal(RefusalReason.AllCooling, Soon, OfModel: true), Refused(accounts[0], accounts[1] with { CoolingUntil = Later }));
        // Of two cool-downs the later one counts.
        Assert.Equal(new AdmissionRefusal(RefusalReason.AllCooling, Later), Refused(accounts[0] with { CoolingUntil = Later }));
    }

    [Fact]
    public void An_account_that_refuses_WebSockets_is_used_over_HTTP_until_it_is_tried_again()
    {
        Account[] accounts = [Some.Account("a") with { WebSocketsRefusedUntil = Soon }, Some.Account("b")];
        var sockets = Some.Request() with { NeedsWebSockets = true };
        Assert.Equal("b", Choose(sockets, accounts));
        Assert.Equal("a b", Choose(Some.Request(), accounts));
        Assert.Equal("NoWebSockets", Choose(sockets, [accounts[0]]));
        Assert.Equal("a", Choose(sockets, [accounts[0] with { WebSocketsRefusedUntil = Some.Now }]));
        Assert.Equal((false, true), (accounts[0].Admit(30, Some.Now).WebSockets, accounts[0].Admit(30, Soon).WebSockets));
    }

    [Fact]
    public void When_all_cool_down_the_refusal_names_the_first_that_is_back()
    {
        Account[] accounts = [Some.Account("a") with { CoolingUntil = Later }, Some.Account("b") with { CoolingUntil = Soon }];
        Assert.Equal($"AllCooling {Soon:HH:mm}", Choose(Some.Request(), accounts));
        Assert.Equal("b", Choose(Some.Request(), [accounts[0], accounts[1] with { CoolingUntil = Some.Now }]));
        Assert.Equal("a b", Choose(Some.Request() with { Purpose = AdmissionPurpose.Request }, accounts));
    }

    /// <summary>
    /// Accounts a and b of domain "org", c of its own; each letter a state: r(eady), s(oon back), l(ater back), x (disabled), - (not there).
    /// </summary>
    [Theory]
    // Accounts that have failed a turn do not get it again, and what will do is looked for among the others.
    [InlineData("rrr", "a", null, null, "b c")]
    [InlineData("rrr", "ab", null, null, "c")]
    [InlineData("rrr", "abc", null, null, "NoOther")]
    [InlineData("rr-", "ab", null, null, "NoOther")]
    // Until when it is worth waiting is told by those that have not failed it.
    [InlineData("rls", "a", null, null, "AllCooling soon")]
    [InlineData("sl-", "a", null, null, "AllCooling later")]
    [InlineData("sl-", "ab", null, null, "NoOther")]
    [InlineData("lls", "", null, null, "AllCooling soon")]
    // In a demanded domain nothing outside of it counts.
    [InlineData("rrr", "a", "org", null, "b")]
    [InlineData("rrr", "ab", "org", null, "NoOther")]
    [InlineData("rsr", "a", "org", null, "OwnerCooling soon")]
    [InlineData("slr", "a", "org", null, "OwnerCooling later")]
    [InlineData("xxr", "a", "org", null, "OwnerGone")]
    // A demanded account is like a domain of one.
    [InlineData("rrr", "", null, "b", "b")]
    [InlineData("rrr", "", "org", "b", "b")]
    [InlineData("rrr", "", "org", "c", "OwnerGone")]
    [InlineData("rxr", "", null, "b", "OwnerGone")]
    [InlineData("r-r", "", "org", "b", "OwnerGone")]
    [InlineData("rsr", "", null, "b", "OwnerCooling soon")]
    [InlineData("rlr", "", "org", "b", "OwnerCooling later")]
    [InlineData("rrr", "b", null, "b", "NoOther")]
    public void Exclusions_and_demands_narrow_and_a_refusal_says_what_is_worth_waiting_for(string states, string excluded, string? domain, string? only, string expected)
    {
        string[] names = ["a", "b", "c"];
        var all = names.Select(name => Some.Account(name, name == "c" ? null : "org")).ToArray();
        string Id(string name) => all.Single(account => account.Name == name).Key;
        var there = all.Zip(states).Where(pair => pair.Second != '-').Select(pair => pair.Second switch
        {
            's' => pair.First with { CoolingUntil = Soon },
            'l' => pair.First with { CoolingUntil = Later },
            'x' => pair.First with { State = AccountState.Disabled },
            _ => pair.First,
        });
        var request = Some.Request() with { Domain = domain, OnlyAccountId = only is null ? null : Id(only), ExcludedAccountIds = [.. excluded.Select(name => Id(name.ToString()))] };

        Assert.Equal(expected, Choose(request, [.. there]).Replace($"{Soon:HH:mm}", "soon", StringComparison.Ordinal).Replace($"{Later:HH:mm}", "later", StringComparison.Ordinal));
    }

    [Fact]
    public void A_demanded_account_must_be_open_to_the_key_and_serve_the_model_like_any_other()
    {
        Account[] accounts = [Some.Account("a", "org"), Some.Account("b", "org") with { Models = ["o3"] }];
        var key = Some.Key() with { Accounts = ["a"] };
        Assert.Equal("OwnerGone", Choose(Some.Request(key.Key) with { OnlyAccountId = accounts[1].Key, Model = null }, accounts, key));
        Assert.Equal("UnknownKey", Choose(Some.Request("nobody") with { OnlyAccountId = accounts[1].Key }, accounts));
        Assert.Equal("ModelNotServed", Choose(Some.Request() with { OnlyAccountId = accounts[1].Key }, accounts));
        Assert.Equal("b", Choose(Some.Request() with { OnlyAccountId = accounts[1].Key, Purpose = AdmissionPurpose.Request, Model = null }, [accounts[0], accounts[1] with { CoolingUntil = Soon }]));
    }

    [Fact]
    public void The_preferred_account_is_marked_where_it_is_among_the_candidates()
    {
        var (a, b) = (Some.Account("a"), Some.Account("b"));
        int Preferred(string id, params Account[] accounts) =>
            Candidates.Choose(new AccountsSnapshot("0", accounts, []), Some.Request() with { PreferredAccountId = id }, Some.Now).Candidates!.PreferredIndex;

        Assert.Equal(1, Preferred(b.Key, a, b));
        Assert.Equal(-1, Preferred(b.Key, a, b with { CoolingUntil = Soon }));
        Assert.Equal(-1, Preferred("nobody", a, b));
    }

    [Fact]
    public void Each_turn_begins_at_another_account_and_keeps_its_preferred_one()
    {
        Account[] accounts = [Some.Account("a"), Some.Account("b"), Some.Account("c")];
        var rotated = Enumerable.Range(0, 300).Select(_ => new Candidates(accounts, 1).RotatedBy(Guid.CreateVersion7())).ToArray();
        Assert.All(rotated, candidates => Assert.Equal(accounts[1], candidates.Accounts[candidates.PreferredIndex]));
        Assert.All(rotated.CountBy(candidates => candidates.Accounts[0].Name).ToDictionary().Values, count => Assert.InRange(count, 50, 150));
        Assert.Equal(-1, new Candidates(accounts, -1).RotatedBy(Guid.CreateVersion7()).PreferredIndex);
    }

    [Fact]
    public void What_takes_no_slot_goes_to_the_preferred_account_or_by_cool_down_priority_and_weight()
    {
        var (a, b, c) = (Some.Account("a") with { Priority = 1 }, Some.Account("b") with { Weight = 3 }, Some.Account("c"));
        Assert.Equal(a, new Candidates([a, b, c], 0).PickWithoutSlot(Some.Now));
        Assert.Equal(a, new Candidates([a, b with { CoolingUntil = Soon }], -1).PickWithoutSlot(Some.Now));
        Assert.Equal(b with { CoolingUntil = Soon }, new Candidates([b with { CoolingUntil = Soon }], -1).PickWithoutSlot(Some.Now));

        var picks = Enumerable.Range(0, 4000).Select(_ => new Candidates([a, b, c], -1).PickWithoutSlot(Some.Now).Name).CountBy(name => name).ToDictionary();
        Assert.DoesNotContain("a", picks.Keys);
        Assert.InRange(picks["b"], 2700, 3300);
    }

    private static string Choose(ApiKey key, Account[] accounts) => Choose(Some.Request(key.Key), accounts, key);

    private static string Choose(AdmissionRequest request, Account[] accounts, params ApiKey[] keys)
    {
        var (candidates, refusal) = Candidates.Choose(new AccountsSnapshot("0", accounts, keys), request, Some.Now);
        return candidates is not null
            ? string.Join(' ', candidates.Accounts.Select(account => account.Name))
            : refusal!.Until is { } until ? $"{refusal.Reason} {until:HH:mm}" : refusal.Reason.ToString();
    }
}
