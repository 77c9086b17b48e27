namespace Aspire.Hosting;

/// <summary>What the model is built for. The local runtime only runs.</summary>
public sealed class DistributedApplicationExecutionContext
{
    public bool IsRunMode => true;

    public bool IsPublishMode => false;
}
