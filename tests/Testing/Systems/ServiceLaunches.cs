using System.Globalization;
using Testing.Processes;
using static Testing.Systems.ServiceConfiguration;

namespace Testing.Systems;

/// <summary>How the services of one gateway are started: their programs and what their environment tells them.</summary>
/// <param name="Directory">Where they keep their files.</param>
/// <param name="FirstPort">Edges listen from here on, one port each, then the services, then the edges for one another.</param>
internal sealed record ServiceLaunches(GatewayOptions Options, GatewaySecrets Secrets, string Directory, int FirstPort)
{
    /// <summary>The seed document: a file, since a variable would be readable for as long as the service runs.</summary>
    public string SeedFile => Path.Combine(Directory, "seed.json");

    /// <summary>The ports that a gateway needs.</summary>
    public static int PortsFor(GatewayOptions options) => (2 * options.Edges) + 2;

    public Uri EdgeAddress(int number) => AddressOf(number);

    public Uri ContinuityAddress => AddressOf(Options.Edges);

    public Uri AccountsAddress => AddressOf(Options.Edges + 1);

    public Launch ContinuityService(string database, string redis) => Of(Continuity, "Proxy.Continuity", Continuity, ContinuityAddress, new()
    {
        ["ConnectionStrings__continuitydb"] = database,
        ["ConnectionStrings__redis"] = redis,
    });

    public Launch AccountsService(string database, string redis) => Of(Accounts, "Proxy.Accounts", Accounts, AccountsAddress, new()
    {
        ["ConnectionStrings__accountsdb"] = database,
        ["ConnectionStrings__redis"] = redis,
        ["Admin__Token"] = Secrets.AdminToken,
        ["Accounts__EncryptionKeys"] = Secrets.EncryptionKeys,
        ["Accounts__SeedFile"] = SeedFile,
    });

    public Launch EdgeService(int number) => Of(Edge, "Proxy.Edge", NameOfEdge(number), EdgeAddress(number), new()
    {
        ["Edge__Id"] = NameOfEdge(number),
        ["Edge__InternalPort"] = AddressOf(Options.Edges + 2 + number).Port.ToString(CultureInfo.InvariantCulture),
        ["Edge__AdvertisedAddress"] = AddressText(Options.Edges + 2 + number),
        ["Edge__SpoolDirectory"] = Path.Combine(Directory, NameOfEdge(number), "spool"),
        ["services__continuity__http__0"] = AddressText(Options.Edges),
        ["services__accounts__http__0"] = AddressText(Options.Edges + 1),
    });

    /// <summary>A service's mode that brings a database up to date and ends.</summary>
    public static Launch Migrations(string project, string connectionName, string database) => new(BuiltPrograms.Dotnet, BuiltPrograms.Of(project), "migrate")
    {
        Environment = new Dictionary<string, string>(Runtime()) { [$"ConnectionStrings__{connectionName}"] = database },
    };

    public static string NameOfEdge(int number) => string.Create(CultureInfo.InvariantCulture, $"edge-{number}");

    private Launch Of(string service, string project, string name, Uri address, Dictionary<string, string> own)
    {
        var program = BuiltPrograms.Of(project);
        var environment = new Dictionary<string, string>(Runtime())
        {
            ["OTEL_SERVICE_NAME"] = name,
            ["ASPNETCORE_URLS"] = address.GetLeftPart(UriPartial.Authority),
            ["Internal__Token"] = Secrets.InternalToken,
        };
        foreach (var (variable, value) in own.Concat(VariablesOf(service, Options.Configuration)))
        {
            environment[variable] = value;
        }
        return new Launch(BuiltPrograms.Dotnet, program) { Environment = environment, WorkingDirectory = Path.GetDirectoryName(program)!, Directory = Directory };
    }

    private static Dictionary<string, string> Runtime() => new(ChildEnvironment.Inherited())
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Development",
        ["DOTNET_ENVIRONMENT"] = "Development",
        // Code instrumented for later gains nothing in a process that lives for seconds.
        ["DOTNET_TieredPGO"] = "0",
    };

    private Uri AddressOf(int offset) => new(AddressText(offset));

    private string AddressText(int offset) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FirstPort + offset}");
}
