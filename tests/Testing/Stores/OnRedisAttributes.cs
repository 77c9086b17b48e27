using System.Reflection;
using Xunit.Sdk;

namespace Testing.Stores;

/// <summary>Runs a theory on Garnet.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OnGarnetAttribute : DataAttribute
{
    /// <inheritdoc/>
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[RedisKind.Garnet]];
}

/// <summary>Runs a theory on redis-server; where that is missing, the test is shown as skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OnRedisAttribute : DataAttribute
{
    /// <summary>Looks for redis-server.</summary>
    public OnRedisAttribute() => Skip = RedisProgram.IsThere(RedisKind.Redis) ? null : "redis-server is not on PATH.";

    /// <inheritdoc/>
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[RedisKind.Redis]];
}
