using AppHost.Commands;
using AppHost.Configuration;
using AppHost.Lifecycle;
using AppHost.Preparation;
using AppHost.Stores;
using AppHost.Topology;

var builder = AppHostBuilder.Create(args);
using var start = await PreparedStart.TryAsync(builder);
if (start is null)
{
    return PreparedStart.Refused;
}

var settings = start.Settings;
var secrets = builder.AddSecrets(settings);
var stores = builder.AddDataStores(settings, start.LocalStores);

var continuity = builder.AddService("continuity", ProjectFiles.Continuity, stores.ContinuityDb, settings, secrets)
    .WithReference(stores.Redis)
    .WaitFor(stores.Redis)
    .WithIconName("LinkMultiple");

var accounts = builder.AddService("accounts", ProjectFiles.Accounts, stores.AccountsDb, settings, secrets)
    .WithReference(stores.Redis)
    .WithEnvironment("Admin__Token", secrets.AdminToken)
    .WithEnvironment("Accounts__EncryptionKeys", secrets.EncryptionKeys)
    .WithUpstreams(start)
    .WaitFor(stores.Redis)
    .WithIconName("Key");

var edges = settings.Edges.Select(edge => builder.AddEdge(edge, settings, secrets)
    .WithReference(continuity)
    .WithReference(accounts)
    .WaitForStart(continuity)
    .WaitForStart(accounts)).ToList();
builder.AddEntrance(edges);

builder.AddOperatorCommands(edges, accounts, continuity, stores, start, secrets);
builder.RestartWhatCrashes(start);
builder.StopInOrder([[.. edges.Select(edge => edge.Resource)], [continuity.Resource, accounts.Resource], [.. stores.Servers]], settings.EdgeStopLimit);
builder.AnnounceWhenReady([continuity, accounts, .. edges], start);

return await builder.Build().RunToEndAsync();
