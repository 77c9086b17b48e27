using System.Text.Json;
using System.Text.Json.Nodes;
using Simulator.Accounts;
using Simulator.Responses;

namespace Simulator.Endpoints;

/// <summary>
/// What an organisation keeps besides responses, conversations and files: <c>/vector_stores</c>, <c>/containers</c>, <c>/uploads</c>, <c>/batches</c>, <c>/skills</c> and
/// <c>/agents/sessions</c>. Each is made, read, changed, listed and deleted; of what is particular to one there is only what names another object.
/// </summary>
internal sealed class ResourceEndpoints(TimeProvider time)
{
    private static readonly (string Path, string Object, string Prefix)[] Resources =
    [
        ("/vector_stores", "vector_store", "vs_"), ("/containers", "container", "cntr_"), ("/uploads", "upload", "upload_"), ("/batches", "batch", "batch_"),
        ("/skills", "skill", "skill_"), ("/agents/sessions", "agent.session", "asess_"),
    ];

    public void Map(IEndpointRouteBuilder api)
    {
        foreach (var (path, type, prefix) in Resources)
        {
            api.MapPost(path, context => CreateAsync(context, type, prefix));
            api.MapGet(path, context => context.PageAsync(
                context.Caller().Account.Organisation.Objects.All.Where(one => one.Type == type).Select(one => JsonSerializer.SerializeToElement(one.Json))));
            api.MapGet(path + "/{id}", context => WithAsync(context, type, found => context.JsonAsync(found.Json)));
            api.MapPost(path + "/{id}", context => WithAsync(context, type, found => context.JsonAsync(found.Json)));
            api.MapDelete(path + "/{id}", context => WithAsync(context, type, found => DeleteAsync(context, found)));
        }
        api.MapPost("/vector_stores/{id}/files", context => WithAsync(context, "vector_store", found => AttachAsync(context, found)));
        api.MapPost("/vector_stores/{id}/search", context => WithAsync(context, "vector_store", _ => context.PageAsync([])));
        api.MapGet("/containers/{id}/files/{file}/content", context => WithAsync(context, "container", _ => context.JsonAsync("bytes"u8.ToArray())));
        api.MapPost("/uploads/{id}/parts", context => WithAsync(context, "upload", found => context.JsonAsync(new JsonObject { ["id"] = "part_" + Ids.File()[5..], ["upload_id"] = found.Id })));
        api.MapPost("/uploads/{id}/complete", context => WithAsync(context, "upload", found => CompleteAsync(context, found)));
    }

    private static Task WithAsync(HttpContext context, string type, Func<StoredObject, Task> handle)
    {
        var id = context.Route("id");
        return context.Caller().Account.Organisation.Objects.TryGet(id, out var found) && found.Type == type
            ? handle(found)
            : context.ErrorAsync(ApiError.ObjectNotFound(type, id));
    }

    private async Task CreateAsync(HttpContext context, string type, string prefix)
    {
        var organisation = context.Caller().Account.Organisation;
        // A skill is uploaded as a form.
        var body = context.Request.HasFormContentType ? default : context.RequestJson();
        if (TurnRequest.Text(body, "input_file_id") is { } file && !organisation.Files.TryGet(file, out _))
        {
            await context.ErrorAsync(ApiError.FileNotFound(file));
            return;
        }
        var made = new StoredObject(prefix + Ids.File()[5..], type, new JsonObject
        {
            ["object"] = type,
            ["created_at"] = time.GetUtcNow().ToUnixTimeSeconds(),
            ["status"] = type == "upload" ? "pending" : "completed",
            ["name"] = TurnRequest.Text(body, "name"),
        });
        made.Json["id"] = made.Id;
        organisation.Objects.Put(made.Id, made);
        await context.JsonAsync(made.Json);
    }

    private static Task DeleteAsync(HttpContext context, StoredObject found)
    {
        context.Caller().Account.Organisation.Objects.Remove(found.Id);
        return context.JsonAsync(new JsonObject { ["id"] = found.Id, ["object"] = found.Type + ".deleted", ["deleted"] = true });
    }

    private static Task AttachAsync(HttpContext context, StoredObject found)
    {
        var file = TurnRequest.Text(context.RequestJson(), "file_id") ?? "";
        return context.Caller().Account.Organisation.Files.TryGet(file, out _)
            ? context.JsonAsync(new JsonObject { ["id"] = file, ["object"] = "vector_store.file", ["vector_store_id"] = found.Id, ["status"] = "completed" })
            : context.ErrorAsync(ApiError.FileNotFound(file));
    }

    /// <summary>The parts become a file, which the answer names: <c>{"id":"upload_1","status":"completed","file":{"id":"file-1",...}}</c></summary>
    private Task CompleteAsync(HttpContext context, StoredObject found)
    {
        var file = new StoredFile(Ids.File(), "upload", "user_data", [], time.GetUtcNow().ToUnixTimeSeconds());
        context.Caller().Account.Organisation.Files.Put(file.Id, file);
        found.Json["status"] = "completed";
        found.Json["file"] = new JsonObject { ["id"] = file.Id, ["object"] = "file" };
        return context.JsonAsync(found.Json);
    }
}
