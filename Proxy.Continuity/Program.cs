using Proxy.Continuity;
using ServiceDefaults.Data;

var app = WebApplication.CreateSlimBuilder(args).AddContinuity().Build();
return await (MigrateMode.IsAskedFor(args) ? app.MigrateAsync() : app.MapContinuity().MigrateAndRunAsync());
