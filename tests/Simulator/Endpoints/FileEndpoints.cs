using System.Text.Json;
using System.Text.Json.Nodes;
using Simulator.Accounts;
using Simulator.Responses;

namespace Simulator.Endpoints;

/// <summary><c>/files</c>.</summary>
internal sealed class FileEndpoints(TimeProvider time)
{
    public void Map(IEndpointRouteBuilder api)
    {
        api.MapPost("/files", UploadAsync);
        api.MapGet("/files", context => context.PageAsync(
            context.Caller().Account.Organisation.Files.All.Select(file => JsonSerializer.SerializeToElement(Describe(file)))));
        api.MapGet("/files/{id}", context => WithAsync(context, file => context.JsonAsync(Describe(file))));
        api.MapGet("/files/{id}/content", context => WithAsync(context, file => ContentAsync(context, file)));
        api.MapDelete("/files/{id}", context => WithAsync(context, file => DeleteAsync(context, file)));
    }

    private static Task WithAsync(HttpContext context, Func<StoredFile, Task> handle)
    {
        var id = context.Route("id");
        return context.Caller().Account.Organisation.Files.TryGet(id, out var file)
            ? handle(file)
            : context.ErrorAsync(ApiError.FileNotFound(id));
    }

    private async Task UploadAsync(HttpContext context)
    {
        // The intake has read the body already.
        context.Request.Body = new MemoryStream(context.Caller().Exchange.Body.ToArray());
        if (!context.Request.HasFormContentType
            || await context.Request.ReadFormAsync(context.RequestAborted) is not { Files: [{ } upload, ..] } form)
        {
            await context.ErrorAsync(ApiError.Invalid("'file' is a required property.", "file"));
            return;
        }

        var content = new MemoryStream();
        await upload.CopyToAsync(content, context.RequestAborted);
        var file = new StoredFile(
            Ids.File(), upload.FileName, form["purpose"].ToString(), content.ToArray(), time.GetUtcNow().ToUnixTimeSeconds());
        context.Caller().Account.Organisation.Files.Put(file.Id, file);
        await context.JsonAsync(Describe(file));
    }

    private static async Task ContentAsync(HttpContext context, StoredFile file)
    {
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = file.Content.Length;
        await context.Response.BodyWriter.WriteAsync(file.Content, context.RequestAborted);
    }

    private static Task DeleteAsync(HttpContext context, StoredFile file)
    {
        context.Caller().Account.Organisation.Files.Remove(file.Id);
        return context.JsonAsync(new JsonObject { ["id"] = file.Id, ["object"] = "file", ["deleted"] = true });
    }

    private static JsonObject Describe(StoredFile file) => new()
    {
        ["id"] = file.Id,
        ["object"] = "file",
        ["bytes"] = file.Content.Length,
        ["created_at"] = file.CreatedAt,
        ["filename"] = file.Name,
        ["purpose"] = file.Purpose,
        ["status"] = "processed",
    };
}
