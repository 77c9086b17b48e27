// Stands in for every service of the solution, so that the tests of the AppHost need none of them.
if (args is ["migrate"])
{
    Console.WriteLine("migrated");
    return 0;
}

var app = WebApplication.CreateSlimBuilder(args).Build();
app.MapGet("/health", () => "ok");
app.MapGet("/environment", () => Environment.GetEnvironmentVariables());
app.MapPost("/crash", () => Environment.Exit(7));
app.Run();
return 0;
