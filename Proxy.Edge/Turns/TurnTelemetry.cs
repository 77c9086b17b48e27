using System.Diagnostics;
using System.Diagnostics.Metrics;
using Proxy.Edge.Protocol;
using ServiceDefaults.Telemetry;

namespace Proxy.Edge.Turns;

/// <summary>Spans and instruments of turns, by the GenAI semantic conventions where those have a name.</summary>
internal sealed class TurnTelemetry : IDisposable
{
    // Histogram boundaries of the GenAI conventions: semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md.
    private static readonly double[] Durations = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    private static readonly double[] FirstTokens = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
    private static readonly long[] Tokens = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];

    private readonly ActivitySource _source = new(TelemetryExtensions.OwnPrefix + "Turns");
    private readonly Counter<long> _resolutions;
    private readonly Counter<long> _replays;
    private readonly Counter<long> _swallowed;
    private readonly Counter<long> _failClosed;
    private readonly Counter<long> _refusedFrames;
    private readonly Counter<long> _latePublications;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<long> _tokens;

    public TurnTelemetry(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryExtensions.OwnPrefix + "Turns");
        _resolutions = meter.CreateCounter<long>("continuity.owner_resolution", "{turn}", "Turns by what was found of the owner of the ids they name.");
        _replays = meter.CreateCounter<long>("continuity.replay", "{turn}", "Turns that were sent to upstream once more, by why and by how it ended.");
        _swallowed = meter.CreateCounter<long>("continuity.swallowed", "{event}", "Events of upstream that belong to no turn and were not passed on.");
        _failClosed = meter.CreateCounter<long>("continuity.fail_closed", "{turn}", "Turns refused rather than sent to another account.");
        _refusedFrames = meter.CreateCounter<long>("continuity.refused_frame", "{frame}", "Frames of clients that are no turns because a lane has no room for them, or has no such name.");
        _latePublications = meter.CreateCounter<long>("continuity.late_publication", "{id}", "Responses whose terminal event left before their owner was kept.");
        _duration = meter.CreateHistogram("gen_ai.server.request.duration", "s", "Time of whole turns.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Durations });
        _firstToken = meter.CreateHistogram("gen_ai.server.time_to_first_token", "s", "Time until the first event.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = FirstTokens });
        _tokens = meter.CreateHistogram("gen_ai.client.token.usage", "{token}", "Tokens of turns.", advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = Tokens });
    }

    /// <summary>Begins the turn's span.</summary>
    public Activity? Begin(Turn turn)
    {
        var activity = _source.StartActivity($"chat {turn.Request.Model}", ActivityKind.Client);
        activity?.SetTag("gen_ai.operation.name", "chat");
        activity?.SetTag("gen_ai.provider.name", "openai");
        activity?.SetTag("gen_ai.request.model", turn.Request.Model);
        activity?.SetTag("openai.api.type", "responses");
        activity?.SetTag("continuity.surface", turn.Surface);
        return activity;
    }

    /// <summary>Notes what was found of the owner, and links the turn to the one that minted its anchor: a conversation reads as a chain.</summary>
    public void Resolved(Turn turn)
    {
        turn.Activity?.SetTag("continuity.owner", turn.Route.Source);
        if (ActivityContext.TryParse(turn.Route.TraceParent, null, isRemote: true, out var minted))
        {
            turn.Activity?.AddLink(new ActivityLink(minted));
        }
    }

    /// <summary>Counts what became of a lookup.</summary>
    public void CountResolution(string surface, string source, string outcome) =>
        _resolutions.Add(1, new("surface", surface), new("source", source), new("outcome", outcome));

    /// <summary>Counts a turn that the client is asked to repeat or rebuild; where it is told, not where the trouble was.</summary>
    public void CountFailClosed(Turn turn, string reason) => _failClosed.Add(1, new("surface", turn.Surface), new("reason", reason));

    /// <summary>Notes that a turn is sent once more.</summary>
    public void Replayed(Turn turn, string trigger) =>
        turn.Activity?.AddEvent(new ActivityEvent("continuity.replay", tags: new ActivityTagsCollection { ["trigger"] = trigger, ["account"] = turn.Account?.Name }));

    public void CountSwallowed(string reason) => _swallowed.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <summary>Counts a frame that was answered with an error before it was a turn.</summary>
    public void CountRefusedFrame(string? code) => _refusedFrames.Add(1, new KeyValuePair<string, object?>("code", code));

    public void CountLatePublication() => _latePublications.Add(1);

    /// <summary>Ends the turn's span and counts it; no <paramref name="usage"/> for a turn of which upstream has told none, which is not the same as zero tokens.</summary>
    public void End(Turn turn, string status, string? errorCode, TimeSpan duration, TimeSpan? firstEvent, TokenUsage? usage)
    {
        var model = new KeyValuePair<string, object?>("gen_ai.request.model", turn.Request.Model);
        _duration.Record(duration.TotalSeconds, model, new("error.type", errorCode));
        if (firstEvent is { } first)
        {
            _firstToken.Record(first.TotalSeconds, model);
        }
        if (usage is { } tokens)
        {
            _tokens.Record(tokens.Input, model, new("gen_ai.token.type", "input"));
            _tokens.Record(tokens.Output, model, new("gen_ai.token.type", "output"));
        }
        if (turn.Replays > 0)
        {
            _replays.Add(1, new("surface", turn.Surface), new("trigger", turn.ReplayTrigger), new("outcome", status));
        }
        if (turn.Activity is not { } activity)
        {
            return;
        }
        activity.SetTag("gen_ai.response.id", LoggedId.Of(turn.Response.Id));
        activity.SetTag("gen_ai.usage.input_tokens", usage?.Input);
        activity.SetTag("gen_ai.usage.output_tokens", usage?.Output);
        activity.SetTag("continuity.status", status);
        activity.SetTag("continuity.replays", turn.Replays);
        activity.SetTag("continuity.reason", turn.Reason);
        activity.SetTag("error.type", errorCode);
        activity.Dispose();
    }

    public void Dispose() => _source.Dispose();
}
