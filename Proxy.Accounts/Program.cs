using Proxy.Accounts;
using Proxy.Accounts.Admin;
using ServiceDefaults.Data;

if (SeedCheck.IsAskedFor(args))
{
    return SeedCheck.Run(args);
}

var app = WebApplication.CreateSlimBuilder(args).AddAccounts().Build();
return await (MigrateMode.IsAskedFor(args) ? app.MigrateAsync() : app.MapAccounts().MigrateAndRunAsync());
