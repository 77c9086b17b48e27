using System.Security.Cryptography;
using System.Text;

namespace ServiceDefaults.Telemetry;

/// <summary>Identifiers as they may appear in logs and tags: the same id always reads the same, and nobody can read it back.</summary>
public static class LoggedId
{
    /// <summary><c>sha256:</c> and the first 12 hex digits of the id's hash; <c>-</c> where there is none.</summary>
    public static string Of(string? id) =>
        string.IsNullOrEmpty(id) ? "-" : string.Concat("sha256:", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 6)));
}
