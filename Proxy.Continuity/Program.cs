using Proxy.Continuity;
using ServiceDefaults.Data;

var builder = WebApplication.CreateSlimBuilder(args).AddContinuity();
await builder.Build().MapContinuity().RunOrMigrateAsync(args);
