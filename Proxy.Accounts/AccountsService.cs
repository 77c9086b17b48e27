using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.Options;
using Proxy.Accounts.Accounts;
using Proxy.Accounts.Admin;
using Proxy.Accounts.ApiKeys;
using Proxy.Accounts.Contracts;
using Proxy.Accounts.Credentials;
using Proxy.Accounts.Pool;
using Proxy.Accounts.Quotas;
using Proxy.Accounts.Selection;
using ServiceDefaults.Data;
using ServiceDefaults.Health;
using ServiceDefaults.Hosting;
using ServiceDefaults.Http;

namespace Proxy.Accounts;

/// <summary>The service's parts and routes.</summary>
internal static class AccountsService
{
    // It says what can be called, which is no secret, and a browser that opens it has no token.
    private const string AdminDocument = AccountsRoutes.Admin + "/openapi.json";

    public static WebApplicationBuilder AddAccounts(this WebApplicationBuilder builder)
    {
        builder.AddServiceDefaults();
        builder.AddNpgsqlDataSource("accountsdb");
        builder.AddFailFastRedis("redis");
        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, AccountsJson.Default);
            options.SerializerOptions.TypeInfoResolverChain.Insert(1, AdminJson.Default);
        });
        builder.Services.AddOptions<AccountsOptions>().BindConfiguration(AccountsOptions.Section).ValidateDataAnnotations()
            .Validate(IsParsable, "Accounts:EncryptionKeys wants id:key[,id:key...], each key 32 bytes in base64.")
            .ValidateOnStart();
        builder.Services.AddOptions<AdminOptions>().BindConfiguration(AdminOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOpenApi(DescribeAdmin);
        builder.Services
            // Read when first needed: what a hosted service is made of is made before the options are validated, all of them together.
            .AddSingleton(provider => new Lazy<EncryptionKeys>(() => EncryptionKeys.Parse(provider.GetRequiredService<IOptions<AccountsOptions>>().Value.EncryptionKeys)))
            .AddSingleton<CredentialVault>()
            .AddSingleton<OwnTokens>()
            .AddSingleton<AccountStore>()
            .AddSingleton<ApiKeyStore>()
            .AddSingleton<AccountDirectory>()
            .AddSingleton<PoolVersion>()
            .AddSingleton<SlotLeases>()
            .AddSingleton<PrefetchLeases>()
            .AddSingleton<SlotWaiters>()
            .AddSingleton<Admissions>()
            .AddSingleton<TurnLedger>()
            .AddHostedService<SeedAtStart>()
            .AddHostedService<LostTurns>();
        return builder;
    }

    public static WebApplication MapAccounts(this WebApplication app)
    {
        app.UseInternalToken();
        app.UseAdminToken(open: AdminDocument);
        app.MapServiceHealth();
        app.MapAdmissions();
        app.MapPrefetch();
        app.MapSettling();
        app.MapAdmin();
        app.MapOpenApi(AdminDocument);
        return app;
    }

    private static bool IsParsable(AccountsOptions options)
    {
        try
        {
            return EncryptionKeys.Parse(options.EncryptionKeys) is not null;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    // What an administrator can call, at the address it was called at: neither the internal routes nor the service's own address.
    private static void DescribeAdmin(OpenApiOptions options)
    {
        options.ShouldInclude = route => route.RelativePath?.StartsWith(AccountsRoutes.Admin[1..], StringComparison.Ordinal) == true;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "Continuity Proxy admin API";
            document.Servers?.Clear();
            return Task.CompletedTask;
        });
    }
}
