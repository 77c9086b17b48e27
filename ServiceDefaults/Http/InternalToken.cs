using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using ServiceDefaults.Security;

namespace ServiceDefaults.Http;

/// <summary>Section <c>Internal</c>: the token that services show one another. The AppHost generates it.</summary>
public sealed class InternalOptions
{
    /// <summary>Required; at least 16 characters.</summary>
    public string Token { get; set; } = "";
}

/// <summary>Guards everything under <c>/internal</c>, and names the header that opens it.</summary>
public static class InternalToken
{
    /// <summary>The request header that carries the token.</summary>
    public const string Header = "x-internal-token";

    internal static void AddInternalToken(this WebApplicationBuilder builder) =>
        builder.Services.AddOptions<InternalOptions>().BindConfiguration("Internal")
            .Validate(options => options.Token.Length >= 16, "Internal:Token must have at least 16 characters; the AppHost generates one.")
            .ValidateOnStart();

    /// <summary>
    /// Answers 401 to callers of <c>/internal</c> without the token. A guard on the path instead of on each endpoint:
    /// a route that someone adds later is guarded too.
    /// </summary>
    /// <param name="except">A path whose requests prove in another way that they come from a service of this system.</param>
    public static void UseInternalToken(this WebApplication app, string? except = null)
    {
        // Read with the first request: by then the options have been validated, all of them together.
        var expected = new Lazy<Secret>(() => new Secret(app.Services.GetRequiredService<IOptions<InternalOptions>>().Value.Token));
        app.UseGuard("/internal", context => (except is not null && context.Request.Path == except) || expected.Value.Matches(context.Request.Headers[Header]),
            new ApiError(StatusCodes.Status401Unauthorized, "invalid_internal_token", "This endpoint is internal.", ApiError.Authentication));
    }

    /// <summary>Answers <paramref name="refusal"/> to requests below <paramref name="path"/> that the guard does not admit.</summary>
    public static void UseGuard(this WebApplication app, PathString path, Func<HttpContext, bool> admits, ApiError refusal) =>
        app.Use((context, next) => !context.Request.Path.StartsWithSegments(path) || admits(context) ? next(context) : refusal.WriteAsync(context));
}
