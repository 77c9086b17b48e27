using System.Text.Json;
using System.Text.Json.Serialization;

namespace Proxy.Continuity.Contracts;

/// <summary>The internal routes of the continuity service; all demand the internal token.</summary>
internal static class ContinuityRoutes
{
    public const string Resolve = "/internal/owners/resolve";
    public const string Publish = "/internal/owners/publish";
    public const string PublishMany = "/internal/owners/publish-many";
    public const string RejectAnchor = "/internal/anchors/reject";
    public const string ClaimSession = "/internal/sessions/claim";
    public const string FindSession = "/internal/sessions/find";
    public const string WriteSession = "/internal/sessions/write";
    public const string RenewSessions = "/internal/sessions/renew";
    public const string ReleaseSessions = "/internal/sessions/release";
    public const string RequestLogs = "/internal/request-logs";

    public const int MaxIds = 256;
    public const int MaxPublishedWith = 256;
    public const int MaxPublished = 256;
    public const int MaxSessions = 100;
    public const int MaxRows = 1000;
}

/// <summary>JSON of the contracts, without reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ResolveRequest))]
[JsonSerializable(typeof(ResolveResponse))]
[JsonSerializable(typeof(PublishRequest))]
[JsonSerializable(typeof(PublishManyRequest))]
[JsonSerializable(typeof(PublishManyResponse))]
[JsonSerializable(typeof(RejectAnchorRequest))]
[JsonSerializable(typeof(RejectAnchorResponse))]
[JsonSerializable(typeof(ClaimSessionRequest))]
[JsonSerializable(typeof(ClaimSessionResponse))]
[JsonSerializable(typeof(FindSessionRequest))]
[JsonSerializable(typeof(FindSessionResponse))]
[JsonSerializable(typeof(WriteSessionRequest))]
[JsonSerializable(typeof(RenewSessionsRequest))]
[JsonSerializable(typeof(RenewSessionsResponse))]
[JsonSerializable(typeof(ReleaseSessionsRequest))]
[JsonSerializable(typeof(IntakeRequest))]
[JsonSerializable(typeof(IntakeResponse))]
[JsonSerializable(typeof(OwnerRecord))]
[JsonSerializable(typeof(RequestLogRow))]
internal sealed partial class ContinuityJson : JsonSerializerContext;
