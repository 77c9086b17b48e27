using AppHost.LocalRuntime.Processes;

namespace AppHost.LocalRuntime.Hosting;

/// <summary>A service or a job of this solution.</summary>
internal sealed class ProjectWorkload(ProjectResource project, bool runsToCompletion, ProjectOutput output, HttpClient http) : IWorkload
{
    public string Name => project.Name;

    public IReadOnlyList<Dependency> Dependencies => project.Dependencies;

    public bool RunsToCompletion => runsToCompletion;

    public Task<Launch> PrepareAsync(CancellationToken cancellationToken)
    {
        var program = output.ProgramOf(project.ProjectPath);
        return Task.FromResult(new Launch(ProjectOutput.DotnetHost, [program, .. project.Arguments])
        {
            Environment = Environment(InheritedEnvironment.Current()),
            WorkingDirectory = Path.GetDirectoryName(program),
        });
    }

    /// <summary>The variables of the child: what it inherits, what every child gets, and what the model says.</summary>
    public Dictionary<string, string> Environment(Dictionary<string, string> inherited)
    {
        var context = new EnvironmentCallbackContext();
        foreach (var callback in project.EnvironmentCallbacks)
        {
            callback(context);
        }

        var variables = new Dictionary<string, string>(inherited) { ["OTEL_SERVICE_NAME"] = Name };
        if (project.Endpoint is { } endpoint)
        {
            variables["ASPNETCORE_URLS"] = endpoint.Url;
        }

        foreach (var (name, value) in context.EnvironmentVariables)
        {
            variables[name] = value.ToString() ?? string.Empty;
        }

        return variables;
    }

    public async Task<bool> IsHealthyAsync(CancellationToken cancellationToken)
    {
        if (project is not { Endpoint: { } endpoint, HealthPath: { } path })
        {
            return true;
        }

        try
        {
            using var answer = await http.GetAsync(endpoint.Url + path, cancellationToken);
            return answer.StatusCode == System.Net.HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public async Task OnHealthyAsync(CancellationToken cancellationToken)
    {
        foreach (var handler in project.ReadyHandlers)
        {
            await handler(project, new(project), cancellationToken);
        }
    }
}
