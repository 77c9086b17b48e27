using Simulator;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.AddSimpleConsole(console => console.SingleLine = true);
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
SimulatorApplication.ConfigureServer(builder, precise: builder.Configuration.GetValue("Simulator:Precise", true));
var app = builder.Build();
var simulation = new Simulation(TimeProvider.System);

// Comma-separated; without it any token is an account.
simulation.Accounts.Allowed = app.Configuration["Simulator:Tokens"]?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
SimulatorApplication.Map(app, simulation);
app.Run();
