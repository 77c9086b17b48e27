using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Proxy.Edge.Tests.Fixture;

/// <summary>What the edge logs, as text.</summary>
internal sealed class LogBook : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _entries = new();

    /// <summary>Message, structured values and exception of every entry.</summary>
    public IReadOnlyList<(LogLevel Level, string Text)> Entries => [.. _entries];

    public void Forget() => _entries.Clear();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var values = state is IEnumerable<KeyValuePair<string, object?>> pairs ? string.Join(' ', pairs.Select(pair => $"{pair.Key}={pair.Value}")) : "";
        _entries.Enqueue((logLevel, $"{formatter(state, exception)} | {values} {exception}"));
    }

    public void Dispose()
    {
        // Nothing is held.
    }
}
