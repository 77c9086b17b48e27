using Proxy.Edge;

var builder = WebApplication.CreateSlimBuilder(args).AddEdge();
await builder.Build().MapEdge().RunAsync();
