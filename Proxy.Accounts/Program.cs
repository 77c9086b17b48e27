using Proxy.Accounts;
using ServiceDefaults.Data;

var builder = WebApplication.CreateSlimBuilder(args).AddAccounts();
await builder.Build().MapAccounts().RunOrMigrateAsync(args);
