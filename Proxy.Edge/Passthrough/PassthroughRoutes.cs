using Proxy.Continuity.Contracts;

namespace Proxy.Edge.Passthrough;

/// <summary>What a route does with ids that only one account knows.</summary>
internal enum RouteUse
{
    /// <summary>Names an owned id in its path: goes to the owner, and to nobody but the key that made it.</summary>
    Owned,

    /// <summary>Makes one: its owner is kept.</summary>
    Mints,

    /// <summary>Lists what an account holds: open only while there is a single key, since an account's list shows every key's.</summary>
    Lists,

    /// <summary>Neither.</summary>
    Free,
}

/// <summary>Whether a route takes forms (<c>multipart/form-data</c>) beside JSON.</summary>
internal enum FormUse
{
    /// <summary>None: what is not JSON is refused, since it could name ids and models that nobody has checked.</summary>
    Refused,

    /// <summary>A file and what describes it, which name nothing: they pass as they come, however large they are.</summary>
    Passed,

    /// <summary>Files beside fields that name a model or ids: read whole, like a JSON body, and checked.</summary>
    Read,
}

/// <summary>A route that passes.</summary>
/// <param name="Pattern">Below the API's prefix; <c>{id}</c> is the owned id.</param>
/// <param name="Kind">One of <see cref="OwnedKinds"/>.</param>
/// <param name="RevealsFiles">Its answer may name files that upstream has made meanwhile: the parts of an upload put together, the output of a batch.</param>
internal sealed record PassthroughRoute(string Method, string Pattern, RouteUse Use, string Kind = OwnedKinds.Other, FormUse Forms = FormUse.Refused, bool RevealsFiles = false)
{
    /// <summary>True where a model is at work: a key that may use some models only has to name one of them.</summary>
    public bool Spends => Use == RouteUse.Free || (Use == RouteUse.Mints && Kind is OwnedKinds.Batch or OwnedKinds.AgentSession);
}

/// <summary>
/// The allow-list of what is served besides turns. A route that is not here does not exist: whoever adds one has to say what it does with ids,
/// in its path and in its body.
/// </summary>
internal static class PassthroughRoutes
{
    public static IReadOnlyList<PassthroughRoute> All { get; } =
    [
        new("GET", "/responses/{id}", RouteUse.Owned, OwnedKinds.Response),
        new("DELETE", "/responses/{id}", RouteUse.Owned, OwnedKinds.Response),
        new("POST", "/responses/{id}/cancel", RouteUse.Owned, OwnedKinds.Response),
        new("GET", "/responses/{id}/input_items", RouteUse.Owned, OwnedKinds.Response),

        new("POST", "/conversations", RouteUse.Mints, OwnedKinds.Conversation),
        new("GET", "/conversations/{id}", RouteUse.Owned, OwnedKinds.Conversation),
        new("POST", "/conversations/{id}", RouteUse.Owned, OwnedKinds.Conversation),
        new("DELETE", "/conversations/{id}", RouteUse.Owned, OwnedKinds.Conversation),
        new("GET", "/conversations/{id}/items", RouteUse.Owned, OwnedKinds.Conversation),
        new("POST", "/conversations/{id}/items", RouteUse.Owned, OwnedKinds.Conversation),
        new("GET", "/conversations/{id}/items/{item}", RouteUse.Owned, OwnedKinds.Conversation),
        new("DELETE", "/conversations/{id}/items/{item}", RouteUse.Owned, OwnedKinds.Conversation),

        new("POST", "/files", RouteUse.Mints, OwnedKinds.File, FormUse.Passed),
        new("GET", "/files", RouteUse.Lists, OwnedKinds.File),
        new("GET", "/files/{id}", RouteUse.Owned, OwnedKinds.File),
        new("DELETE", "/files/{id}", RouteUse.Owned, OwnedKinds.File),
        new("GET", "/files/{id}/content", RouteUse.Owned, OwnedKinds.File),

        .. Resource("/vector_stores", OwnedKinds.VectorStore),
        .. Below("/vector_stores/{id}", OwnedKinds.VectorStore,
            "POST /search", "POST /files", "GET /files", "GET /files/{file}", "POST /files/{file}", "DELETE /files/{file}", "GET /files/{file}/content",
            "POST /file_batches", "GET /file_batches/{batch}", "POST /file_batches/{batch}/cancel", "GET /file_batches/{batch}/files"),

        .. Resource("/containers", OwnedKinds.Container),
        new("POST", "/containers/{id}/files", RouteUse.Owned, OwnedKinds.Container, FormUse.Read),
        .. Below("/containers/{id}", OwnedKinds.Container, "GET /files", "GET /files/{file}", "DELETE /files/{file}", "GET /files/{file}/content"),

        new("POST", "/uploads", RouteUse.Mints, OwnedKinds.Upload),
        new("POST", "/uploads/{id}/parts", RouteUse.Owned, OwnedKinds.Upload, FormUse.Passed),
        new("POST", "/uploads/{id}/complete", RouteUse.Owned, OwnedKinds.Upload, RevealsFiles: true),
        .. Below("/uploads/{id}", OwnedKinds.Upload, "POST /cancel"),

        new("POST", "/batches", RouteUse.Mints, OwnedKinds.Batch),
        new("GET", "/batches", RouteUse.Lists, OwnedKinds.Batch),
        new("GET", "/batches/{id}", RouteUse.Owned, OwnedKinds.Batch, RevealsFiles: true),
        new("POST", "/batches/{id}/cancel", RouteUse.Owned, OwnedKinds.Batch, RevealsFiles: true),

        .. Resource("/skills", OwnedKinds.Skill, FormUse.Passed),
        new("POST", "/skills/{id}/versions", RouteUse.Owned, OwnedKinds.Skill, FormUse.Passed),
        .. Below("/skills/{id}", OwnedKinds.Skill,
            "GET /content", "GET /versions", "GET /versions/{version}", "DELETE /versions/{version}", "GET /versions/{version}/content"),

        .. Resource("/agents/sessions", OwnedKinds.AgentSession),

        new("POST", "/chat/completions", RouteUse.Free),
        new("POST", "/embeddings", RouteUse.Free),
        new("POST", "/moderations", RouteUse.Free),
        new("POST", "/images/generations", RouteUse.Free),
        new("POST", "/images/edits", RouteUse.Free, Forms: FormUse.Read),
        new("POST", "/images/variations", RouteUse.Free, Forms: FormUse.Read),
        new("POST", "/audio/speech", RouteUse.Free),
        new("POST", "/audio/transcriptions", RouteUse.Free, Forms: FormUse.Read),
        new("POST", "/audio/translations", RouteUse.Free, Forms: FormUse.Read),
        new("POST", "/alpha/search", RouteUse.Free),
    ];

    // What is made, listed, read, changed and deleted as all are.
    private static IEnumerable<PassthroughRoute> Resource(string path, string kind, FormUse forms = FormUse.Refused) =>
    [
        new("POST", path, RouteUse.Mints, kind, forms),
        new("GET", path, RouteUse.Lists, kind),
        new("GET", path + "/{id}", RouteUse.Owned, kind),
        new("POST", path + "/{id}", RouteUse.Owned, kind),
        new("DELETE", path + "/{id}", RouteUse.Owned, kind),
    ];

    // What an owned thing holds: whoever owns that owns these.
    private static IEnumerable<PassthroughRoute> Below(string path, string kind, params IEnumerable<string> routes) =>
        routes.Select(route => route.Split(' ')).Select(route => new PassthroughRoute(route[0], path + route[1], RouteUse.Owned, kind));
}
