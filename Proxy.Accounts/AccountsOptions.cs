using System.ComponentModel.DataAnnotations;

namespace Proxy.Accounts;

/// <summary>Section <c>Accounts</c>.</summary>
internal sealed class AccountsOptions
{
    public const string Section = "Accounts";

    /// <summary>Seed as JSON text; see <see cref="Admin.SeedDocument"/>.</summary>
    public string? Seed { get; set; }

    /// <summary>Seed as a file's path; used where <see cref="Seed"/> is not given.</summary>
    public string? SeedFile { get; set; }

    /// <summary>Keys for credentials at rest; see <see cref="Credentials.EncryptionKeys"/>. Required.</summary>
    public string? EncryptionKeys { get; set; }

    /// <summary>Seconds until a slot that is not renewed is free again. Default 15.</summary>
    [Range(3, 600)]
    public int LeaseSeconds { get; set; } = 15;

    /// <summary>Accounts may have link-local addresses, and those of clouds' metadata services. Default false.</summary>
    public bool AllowLinkLocalUpstreams { get; set; }

    /// <summary>Turns that may wait for a slot at once in this instance; one more is refused. Default 1024.</summary>
    [Range(0, 100_000)]
    public int MaxWaitingTurns { get; set; } = 1024;
}

/// <summary>Section <c>Admin</c>.</summary>
internal sealed class AdminOptions
{
    public const string Section = "Admin";

    /// <summary>Opens <c>/admin/v1</c>. Required; at least 16 characters.</summary>
    [Required, MinLength(16)]
    public string Token { get; set; } = "";
}
