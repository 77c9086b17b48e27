using System.Text.Json.Nodes;

namespace AppHost.Tests.Publishing;

/// <summary>
/// The published schema of the manifest (json.schemastore.org/aspire-8.0.json), of those kinds of resources that azd can deploy. It refuses <c>executable.v0</c>.
/// </summary>
internal static class ManifestSchema
{
    private static readonly Dictionary<string, (string[] Required, string[] Optional)> Kinds = new(StringComparer.Ordinal)
    {
        ["project.v0"] = (["path"], ["containerFiles", "args", "env", "bindings"]),
        ["container.v0"] = (["image"], ["entrypoint", "args", "connectionString", "containerFiles", "env", "bindings", "bindMounts", "volumes"]),
        ["value.v0"] = (["connectionString"], []),
        ["parameter.v0"] = (["value", "inputs"], ["connectionString"]),
        ["annotated.string"] = (["value", "filter"], []),
    };

    private static readonly (string Name, string[] Values)[] BindingFields = [("scheme", []), ("protocol", ["tcp", "udp"]), ("transport", ["http", "http2", "tcp"])];

    /// <summary>What a resource has that it must not have, or lacks.</summary>
    public static IEnumerable<string> Violations(string name, JsonObject resource)
    {
        var type = (string?)resource["type"];
        if (type is null || !Kinds.TryGetValue(type, out var kind))
        {
            return [$"{name}: azd does not deploy {type}"];
        }

        return
        [
            .. kind.Required.Where(field => resource[field] is null).Select(field => $"{name}: {field} is missing"),
            .. resource.Select(field => field.Key).Except([.. kind.Required, .. kind.Optional, "type"]).Select(field => $"{name}: a {type} has no {field}"),
            .. Entries(resource, "env").Where(variable => variable.Value is not JsonValue value || !value.TryGetValue<string>(out _)).Select(variable => $"{name}: {variable.Key} is not a text"),
            .. from binding in Entries(resource, "bindings")
               from field in BindingFields
               let value = (string?)binding.Value![field.Name]
               where value is null || (field.Values.Length > 0 && !field.Values.Contains(value))
               select $"{name}: binding {binding.Key} has {field.Name} {value}",
            .. from volume in resource["volumes"]?.AsArray() ?? []
               from field in new[] { "name", "target", "readOnly" }
               where volume![field] is null
               select $"{name}: a volume lacks {field}",
            .. from input in Entries(resource, "inputs")
               where (string?)input.Value!["type"] != "string"
               select $"{name}: input {input.Key} is not a text",
        ];
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Entries(JsonObject resource, string field) => resource[field]?.AsObject() ?? [];
}
