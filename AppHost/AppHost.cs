using AppHost.Topology;

Console.WriteLine(BackEnd.Announcement);
var builder = DistributedApplication.CreateBuilder(args);
if (!TopologySettings.TryRead(builder.Configuration, out var settings))
{
    return 2;
}

builder.AddComputeEnvironment();
var secrets = builder.AddSecrets(settings);
var stores = builder.AddDataStores(settings);

var continuityMigrations = builder.AddMigrations("continuity-migrations", ProjectFiles.Continuity, stores.ContinuityDb, settings);
var continuity = builder.AddService("continuity", ProjectFiles.Continuity, settings, secrets)
    .WithReference(stores.ContinuityDb)
    .WithReference(stores.Redis)
    .WaitFor(stores.Redis)
    .WaitForCompletion(continuityMigrations);

var accountsMigrations = builder.AddMigrations("accounts-migrations", ProjectFiles.Accounts, stores.AccountsDb, settings);
var accounts = builder.AddService("accounts", ProjectFiles.Accounts, settings, secrets)
    .WithReference(stores.AccountsDb)
    .WithReference(stores.Redis)
    .WithEnvironment("Admin__Token", secrets.AdminToken)
    .WithEnvironment("Accounts__EncryptionKeys", secrets.EncryptionKeys)
    .WithAccountSeed(settings)
    .WaitFor(stores.Redis)
    .WaitForCompletion(accountsMigrations);

var edges = settings.Edges.Select(edge => builder.AddEdge(edge, settings, secrets)
    .WithReference(continuity)
    .WithReference(accounts)
    .WaitFor(continuity)
    .WaitFor(accounts)).ToList();

builder.AnnounceWhenReady(edges, settings);
builder.Build().Run();
return Environment.ExitCode;
