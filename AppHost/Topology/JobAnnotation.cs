namespace AppHost.Topology;

/// <summary>Says that a resource is a job: it ends by itself, and others wait for its end.</summary>
internal sealed record JobAnnotation : IResourceAnnotation;
