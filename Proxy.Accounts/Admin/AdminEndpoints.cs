using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Npgsql;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Pool;
using Proxy.Accounts.Selection;
using ServiceDefaults.Http;

namespace Proxy.Accounts.Admin;

/// <summary>The admin API: accounts and API keys. Callers come through the edge, with the admin token.</summary>
internal static class AdminEndpoints
{
    public static void MapAdmin(this IEndpointRouteBuilder app)
    {
        var admin = app.MapGroup(AccountsRoutes.Admin).AddEndpointFilter(async (context, next) =>
        {
            try
            {
                return await next(context);
            }
            catch (Exception exception) when (AdmissionEndpoints.IsStoreAway(exception))
            {
                return new ErrorResult(new ApiError(
                    StatusCodes.Status503ServiceUnavailable, "store_unavailable", "The database is away; retry later.", ApiError.Server, RetryAfter: TimeSpan.FromSeconds(1)));
            }
        });
        admin.MapGet("/accounts", ListAccountsAsync).WithName("ListAccounts");
        admin.MapPost("/accounts", CreateAccountAsync).WithName("CreateAccount");
        admin.MapGet("/accounts/{id:guid}", GetAccountAsync).WithName("GetAccount");
        admin.MapPatch("/accounts/{id:guid}", UpdateAccountAsync).WithName("UpdateAccount");
        admin.MapDelete("/accounts/{id:guid}", DeleteAccountAsync).WithName("DeleteAccount");
        admin.MapGet("/api-keys", ListKeysAsync).WithName("ListApiKeys");
        admin.MapPost("/api-keys", CreateKeyAsync).WithName("CreateApiKey");
        admin.MapDelete("/api-keys/{id:guid}", RevokeKeyAsync).WithName("RevokeApiKey");
    }

    private static async Task<Ok<ListView<AccountView>>> ListAccountsAsync(AccountStore accounts, TimeProvider time, CancellationToken cancellationToken) =>
        TypedResults.Ok(new ListView<AccountView>([.. (await accounts.ListAsync(cancellationToken)).Select(account => AccountView.Of(account, time.GetUtcNow()))]));

    private static async Task<Results<Ok<AccountView>, ErrorResult>> GetAccountAsync(Guid id, AccountStore accounts, TimeProvider time, CancellationToken cancellationToken) =>
        await FindAsync(accounts, id, cancellationToken) is { } account ? TypedResults.Ok(AccountView.Of(account, time.GetUtcNow())) : NotFound("account");

    private static async Task<Results<Created<AccountView>, ErrorResult>> CreateAccountAsync(
        AccountDraft draft, AccountStore accounts, AccountDirectory directory, IOptions<AccountsOptions> options, TimeProvider time, CancellationToken cancellationToken)
    {
        if (draft.Validate(isNew: true, options.Value.AllowLinkLocalUpstreams).ToArray() is { Length: > 0 } errors)
        {
            return Invalid(errors);
        }
        var account = draft.Create();
        if (!await accounts.AddAsync(account, cancellationToken))
        {
            return Taken("account", account.Name);
        }
        await directory.ChangedAsync(cancellationToken);
        return TypedResults.Created($"{AccountsRoutes.Admin}/accounts/{account.Id}", AccountView.Of(account, time.GetUtcNow()));
    }

    private static async Task<Results<Ok<AccountView>, ErrorResult>> UpdateAccountAsync(
        Guid id, AccountDraft draft, AccountStore accounts, AccountDirectory directory, IOptions<AccountsOptions> options, TimeProvider time, CancellationToken cancellationToken)
    {
        if (draft.Validate(isNew: false, options.Value.AllowLinkLocalUpstreams).ToArray() is { Length: > 0 } errors)
        {
            return Invalid(errors);
        }
        if (await FindAsync(accounts, id, cancellationToken) is not { } account)
        {
            return NotFound("account");
        }
        var changed = draft.ApplyTo(account);
        try
        {
            if (!await accounts.UpdateAsync(
                changed, draft.Credential is null ? null : changed.Credential, changed.State == account.State ? null : changed.State, draft.Cooling == false, cancellationToken))
            {
                return NotFound("account");
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return Taken("account", changed.Name);
        }
        await directory.ChangedAsync(cancellationToken);
        return TypedResults.Ok(AccountView.Of(changed, time.GetUtcNow()));
    }

    private static async Task<Results<NoContent, ErrorResult>> DeleteAccountAsync(
        Guid id, AccountStore accounts, AccountDirectory directory, CancellationToken cancellationToken)
    {
        if (!await accounts.DeleteAsync(id, cancellationToken))
        {
            return NotFound("account");
        }
        await directory.ChangedAsync(cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<ListView<ApiKeyView>>> ListKeysAsync(ApiKeyStore keys, CancellationToken cancellationToken) =>
        TypedResults.Ok(new ListView<ApiKeyView>([.. (await keys.ListAsync(cancellationToken)).Select(key => ApiKeyView.Of(key))]));

    private static async Task<Results<Created<ApiKeyView>, ErrorResult>> CreateKeyAsync(
        ApiKeyDraft draft, ApiKeyStore keys, AccountDirectory directory, OwnTokens tokens, CancellationToken cancellationToken)
    {
        if (draft.Validate().ToArray() is { Length: > 0 } errors)
        {
            return Invalid(errors);
        }
        if (tokens.Contain(draft.Key))
        {
            return Invalid([OwnTokens.Refusal]);
        }
        var (key, text) = draft.Create();
        if (!await keys.AddAsync(key, cancellationToken))
        {
            return Taken("API key", key.Name);
        }
        await directory.ChangedAsync(cancellationToken);
        return TypedResults.Created($"{AccountsRoutes.Admin}/api-keys/{key.Id}", ApiKeyView.Of(key, text));
    }

    private static async Task<Results<NoContent, ErrorResult>> RevokeKeyAsync(
        Guid id, ApiKeyStore keys, AccountDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!await keys.RevokeAsync(id, time.GetUtcNow(), cancellationToken))
        {
            return NotFound("API key");
        }
        await directory.ChangedAsync(cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Account?> FindAsync(AccountStore accounts, Guid id, CancellationToken cancellationToken) =>
        (await accounts.ListAsync(cancellationToken)).FirstOrDefault(account => account.Id == id);

    private static ErrorResult Invalid(IEnumerable<string> errors) =>
        new(new ApiError(StatusCodes.Status400BadRequest, "invalid_value", string.Join(' ', errors)));

    private static ErrorResult NotFound(string what) => new(new ApiError(StatusCodes.Status404NotFound, "not_found", $"There is no {what} with this id."));

    private static ErrorResult Taken(string what, string name) =>
        new(new ApiError(StatusCodes.Status409Conflict, "name_taken", $"There is already an {what} named {name}, or one with the same secret; choose another or change that one.", Param: "name"));
}

/// <summary>An error as the endpoint's answer.</summary>
internal sealed class ErrorResult(ApiError error) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => error.WriteAsync(httpContext);
}
