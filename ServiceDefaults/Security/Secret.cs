using System.Security.Cryptography;
using System.Text;

namespace ServiceDefaults.Security;

/// <summary>A value that must not be printed: <see cref="ToString"/> hides it, and comparing takes the same time for every guess.</summary>
public readonly struct Secret(string value) : IEquatable<Secret>
{
    private readonly string? _value = value;

    /// <summary>True where no value was given.</summary>
    public bool IsEmpty => string.IsNullOrEmpty(_value);

    /// <summary>The value itself, for the one place that sends or decrypts it.</summary>
    public string Reveal() => _value ?? "";

    /// <summary>Constant-time comparison with text from a stranger.</summary>
    public bool Matches(string? candidate) =>
        !IsEmpty && candidate is not null && CryptographicOperations.FixedTimeEquals(
            SHA256.HashData(Encoding.UTF8.GetBytes(Reveal())), SHA256.HashData(Encoding.UTF8.GetBytes(candidate)));

    /// <inheritdoc/>
    public bool Equals(Secret other) => string.Equals(Reveal(), other.Reveal(), StringComparison.Ordinal);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Secret other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => 0;

    /// <inheritdoc/>
    public override string ToString() => IsEmpty ? "(none)" : "***";

    /// <summary>Same value.</summary>
    public static bool operator ==(Secret left, Secret right) => left.Equals(right);

    /// <summary>Another value.</summary>
    public static bool operator !=(Secret left, Secret right) => !left.Equals(right);
}
