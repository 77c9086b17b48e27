namespace Aspire.Hosting.ApplicationModel;

/// <summary>Something the AppHost declares, known by its name.</summary>
public interface IResource
{
    string Name { get; }
}

/// <summary>A resource that others reach through a connection string.</summary>
public interface IResourceWithConnectionString : IResource
{
    string ConnectionString { get; }
}

/// <summary>A resource that others find by its name.</summary>
public interface IResourceWithServiceDiscovery : IResource
{
    EndpointReference GetEndpoint(string name);
}

/// <summary>The base of every resource.</summary>
public abstract class Resource(string name) : IResource
{
    public string Name { get; } = name;
}

/// <summary>A value that comes from outside the model.</summary>
public sealed class ParameterResource(string name, string value, bool secret) : Resource(name)
{
    public bool Secret { get; } = secret;

    internal string Value { get; } = value;
}

/// <summary>A store that runs elsewhere.</summary>
public sealed class ConnectionStringResource(string name, string connectionString) : Resource(name), IResourceWithConnectionString
{
    public string ConnectionString { get; } = connectionString;
}

/// <summary>A PostgreSQL server.</summary>
public sealed class PostgresServerResource(string name, string password, int port) : Resource(name)
{
    public const string UserName = "postgres";

    public int Port { get; } = port;

    public string Password { get; } = password;

    internal List<PostgresDatabaseResource> Databases { get; } = [];

    internal string ConnectionStringTo(string database) =>
        $"Host=127.0.0.1;Port={Port};Username={UserName};Password={Password};Database={database}";
}

/// <summary>A database of a PostgreSQL server.</summary>
public sealed class PostgresDatabaseResource(string name, string databaseName, PostgresServerResource parent) : Resource(name), IResourceWithConnectionString
{
    public string DatabaseName { get; } = databaseName;

    public PostgresServerResource Parent { get; } = parent;

    public string ConnectionString => Parent.ConnectionStringTo(DatabaseName);
}

/// <summary>A server of the Redis protocol.</summary>
public sealed class RedisResource(string name, string password, int port) : Resource(name), IResourceWithConnectionString
{
    public int Port { get; } = port;

    public string Password { get; } = password;

    public string ConnectionString => $"127.0.0.1:{Port},password={Password}";
}
