using AppHost.Preparation;

namespace AppHost.Lifecycle;

/// <summary>Keeps <c>run/NAME.pid</c> as the processes come and go.</summary>
internal sealed class RunFilesWriter(ResourceNotificationService notifications, RunFiles files) : ResourceWatcher(notifications)
{
    private readonly Dictionary<string, int> _written = new(StringComparer.Ordinal);

    /// <summary>What was still there is gone by the time that the AppHost itself ends.</summary>
    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        foreach (var name in _written.Keys)
        {
            files.Remove(name);
        }
    }

    protected override void OnChanged(ResourceEvent change)
    {
        var name = change.Resource.Name;
        if (change.Snapshot.Started() is null)
        {
            return;
        }

        if (IsTerminal(change.Snapshot.State?.Text))
        {
            if (_written.Remove(name))
            {
                files.Remove(name);
            }
        }
        else if (change.Working() is { } id && _written.GetValueOrDefault(name) != id)
        {
            _written[name] = id;
            files.Write(name, id);
        }
    }
}
