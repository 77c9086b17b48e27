using System.Text.Json;

namespace Simulator.Scripts;

/// <summary>Writes a <see cref="Rule"/> as a sentence: when, what answer, what goes wrong.</summary>
public sealed class RuleBuilder
{
    private readonly List<Step> _steps = [];
    private When _when = new();
    private Answer _answer = new();
    private int? _times;

    /// <summary>The rule so far.</summary>
    public Rule Build() => new() { When = _when, Answer = _answer, Times = _times, Steps = [.. _steps] };

    /// <summary>Only this account.</summary>
    public RuleBuilder Account(string token) => When(when => when with { Account = token });

    /// <summary>Only the n-th turn of the account.</summary>
    public RuleBuilder Turn(int number) => When(when => when with { Turn = number });

    /// <summary>Only turns over HTTP.</summary>
    public RuleBuilder OverHttp() => When(when => when with { Surface = Surface.Http });

    /// <summary>Only turns over a WebSocket.</summary>
    public RuleBuilder OverWebSocket() => When(when => when with { Surface = Surface.WebSocket });

    /// <summary>WebSocket handshakes.</summary>
    public RuleBuilder OnUpgrade() => When(when => when with { Surface = Surface.Upgrade });

    /// <summary>Requests that are not turns.</summary>
    public RuleBuilder OnRequest(string? path = null, string? method = null) =>
        When(when => when with { Surface = Surface.Request, Path = path, Method = method });

    /// <summary>Any other condition.</summary>
    public RuleBuilder When(Func<When, When> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        _when = change(_when);
        return this;
    }

    /// <summary>Applies once.</summary>
    public RuleBuilder Once() => Times(1);

    /// <summary>Applies so many times.</summary>
    public RuleBuilder Times(int times)
    {
        _times = times;
        return this;
    }

    /// <summary>The text of the answer.</summary>
    public RuleBuilder Says(string text) => Answer(answer => answer with { Text = text });

    /// <summary>A tool call.</summary>
    public RuleBuilder Calls(ToolCall call) => Answer(answer => answer with { Calls = [.. answer.Calls, call] });

    /// <summary>Number and size of the text deltas.</summary>
    public RuleBuilder Deltas(int count, int? size = null) => Answer(answer => answer with { Deltas = count, DeltaSize = size });

    /// <summary>Wait before every event but the first.</summary>
    public RuleBuilder Paced(TimeSpan delay) => Answer(answer => answer with { DelayMs = delay.TotalMilliseconds });

    /// <summary>The response id.</summary>
    public RuleBuilder WithId(string responseId) => Answer(answer => answer with { ResponseId = responseId });

    /// <summary>Any other shape of the answer.</summary>
    public RuleBuilder Answer(Func<Answer, Answer> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        _answer = change(_answer);
        return this;
    }

    /// <summary>Any step.</summary>
    public RuleBuilder Then(Step step)
    {
        _steps.Add(step);
        return this;
    }

    /// <summary>An HTTP status, or an error frame with a status, instead of an answer.</summary>
    public RuleBuilder Refuses(int status, string? code = null, string message = "Scripted error.", params IEnumerable<(string Name, string Value)> headers) =>
        Then(new StatusStep(status) { Code = code, Message = message, Headers = headers.ToDictionary(header => header.Name, header => header.Value) });

    /// <summary>An <c>error</c> event or frame.</summary>
    public RuleBuilder Errors(int? status, string? code, string? message = "Scripted error.", Position after = default) =>
        Then(new ErrorStep { After = after, Status = status, Code = code, Message = message });

    /// <summary>The <c>previous_response_not_found</c> frame of the real service, for the turn's own anchor.</summary>
    public RuleBuilder LosesAnchor(Position after = default) => Then(new ErrorStep
    {
        After = after,
        Status = 400,
        Code = "previous_response_not_found",
        Message = "Previous response with id '{previous_response_id}' not found.",
        Param = "previous_response_id",
    });

    /// <summary>A <c>response.failed</c>.</summary>
    public RuleBuilder Fails(string? code, string? message = "Scripted failure.", Position after = default) =>
        Then(new FailedStep { After = after, Code = code, Message = message });

    /// <summary>Both ends of a response that was created: an <c>error</c>, then a <c>response.failed</c>.</summary>
    public RuleBuilder ErrorsAndFails(string code, string message = "Scripted failure.") => this
        .Then(new ErrorStep { After = Position.Created, Code = code, Message = message, Continue = true })
        .Then(new FailedStep { After = Position.Created, Code = code, Message = message });

    /// <summary>A <c>response.incomplete</c>.</summary>
    public RuleBuilder StopsIncomplete(string reason, Position after = default) => Then(new IncompleteStep { After = after, Reason = reason });

    /// <summary>A JSON event that is not part of the answer.</summary>
    public RuleBuilder Inserts(string json, Position after = default, bool numbered = false) =>
        Then(new EventStep(JsonDocument.Parse(json).RootElement) { After = after, Numbered = numbered });

    /// <summary>Text as it is.</summary>
    public RuleBuilder Writes(string text, Position after = default) => Then(new RawStep(text) { After = after });

    /// <summary>A comment line or ping.</summary>
    public RuleBuilder Pings(Position after = default) => Then(new PingStep { After = after });

    /// <summary>Silence until <see cref="SimulatorServer.Release"/>.</summary>
    public RuleBuilder Stalls(Position after = default) => Then(new StallStep { After = after });

    /// <summary>Silence for a time.</summary>
    public RuleBuilder Waits(TimeSpan time, Position after = default) => Then(new StallStep { After = after, Ms = time.TotalMilliseconds });

    /// <summary>A TCP reset.</summary>
    public RuleBuilder Cuts(Position after = default) => Then(new CutStep { After = after });

    /// <summary>End of the body or of the TCP stream.</summary>
    public RuleBuilder Ends(Position after = default) => Then(new EofStep { After = after });

    /// <summary>A Close frame.</summary>
    public RuleBuilder Closes(int code, Position after = default) => Then(new CloseStep { After = after, Code = code });

    /// <summary>The turn is left open and the lane goes on.</summary>
    public RuleBuilder Leaves(Position after = default) => Then(new LeaveStep { After = after });
}
