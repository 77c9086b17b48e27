using Microsoft.Extensions.Options;
using Proxy.Accounts.Contracts;
using ServiceDefaults.Http;
using ServiceDefaults.Security;

namespace Proxy.Accounts.Admin;

/// <summary>Guards the admin API with its token.</summary>
internal static class AdminAuthentication
{
    private static readonly ApiError WrongToken = new(
        StatusCodes.Status401Unauthorized, "invalid_admin_token", "The admin API needs the admin token as a bearer token.", ApiError.Authentication);

    /// <param name="open">A path that needs no token.</param>
    public static void UseAdminToken(this WebApplication app, string open)
    {
        // Read with the first request: by then the options have been validated, all of them together.
        var expected = new Lazy<Secret>(() => new Secret(app.Services.GetRequiredService<IOptions<AdminOptions>>().Value.Token));
        var throttle = new AdminThrottle(app.Services.GetRequiredService<TimeProvider>());
        app.Use((context, next) => !context.Request.Path.StartsWithSegments("/admin") || context.Request.Path == open || Refuse(context, expected.Value, throttle) is not { } refusal
            ? next(context)
            : refusal.WriteAsync(context));
    }

    private static ApiError? Refuse(HttpContext context, Secret expected, AdminThrottle throttle)
    {
        var caller = CallerOf(context);
        if (throttle.WaitOf(caller) is { } wait)
        {
            return new ApiError(StatusCodes.Status429TooManyRequests, "too_many_guesses", "Too many wrong admin tokens; wait.", ApiError.RateLimit, RetryAfter: wait);
        }
        if (expected.Matches(BearerOf(context.Request)))
        {
            return null;
        }
        throttle.NoteWrong(caller);
        return WrongToken;
    }

    // Edges say for whom they ask; whoever calls directly is itself.
    private static string CallerOf(HttpContext context) =>
        context.Request.Headers[AccountsRoutes.AdminCaller] is [{ Length: > 0 and <= 64 } caller] ? caller : context.Connection.RemoteIpAddress?.ToString() ?? "?";

    private static string? BearerOf(HttpRequest request) =>
        request.Headers.Authorization.ToString() is var header && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? header["Bearer ".Length..].Trim() : null;
}
