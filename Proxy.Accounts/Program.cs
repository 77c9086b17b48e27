using Proxy.Accounts;
using ServiceDefaults.Data;

var app = WebApplication.CreateSlimBuilder(args).AddAccounts().Build();
await (MigrateMode.IsAskedFor(args) ? app.MigrateAsync() : app.MapAccounts().RunAsync());
