using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace KimiLinear.ToolCalls;

/// <summary>
/// The ids the model is trained on: <c>functions.NAME:INDEX</c>, the index counting the calls of a conversation from 0.
/// </summary>
public static class NativeCallId
{
    internal const string Prefix = "functions.";

    // So many always fit an int and leave room to count on; no conversation has more calls.
    private const int MaxDigits = 9;

    /// <summary>Writes the id of a call.</summary>
    /// <param name="toolName">The tool's name.</param>
    /// <param name="index">The zero-based number of the call in its conversation.</param>
    /// <returns>The id, such as <c>functions.get_weather:0</c>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="toolName"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="index"/> is negative.</exception>
    public static string Create(string toolName, int index)
    {
        ArgumentNullException.ThrowIfNull(toolName);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return string.Create(CultureInfo.InvariantCulture, $"{Prefix}{toolName}:{index}");
    }

    /// <summary>Reads an id that <see cref="Create"/> could have written.</summary>
    /// <param name="id">The id.</param>
    /// <param name="toolName">The tool's name, if the id has the form.</param>
    /// <param name="index">The zero-based number, below 1,000,000,000; 0 if the id has another form.</param>
    /// <returns>Whether the id has exactly that form, with a name and an index without leading zeros.</returns>
    public static bool TryParse([NotNullWhen(true)] string? id, [NotNullWhen(true)] out string? toolName, out int index)
    {
        toolName = null;
        index = 0;
        int colon = id is null ? -1 : id.LastIndexOf(':');
        if (colon <= Prefix.Length || !id!.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        ReadOnlySpan<char> digits = id.AsSpan(colon + 1);
        bool isCanonical = digits.Length == 1 || (digits.Length is > 1 and <= MaxDigits && digits[0] != '0');
        if (!isCanonical || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int parsed))
        {
            return false;
        }

        toolName = id[Prefix.Length..colon];
        index = parsed;
        return true;
    }
}
