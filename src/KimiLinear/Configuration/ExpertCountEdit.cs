using System.Globalization;
using System.Text;
using System.Text.Json;

namespace KimiLinear.Configuration;

/// <summary>Changes the number of routed experts in the text of a <c>config.json</c> and leaves every other byte alone.</summary>
internal static class ExpertCountEdit
{
    /// <summary>Makes the changed text.</summary>
    /// <param name="utf8Json">The text, which <see cref="KimiLinearConfig.Parse"/> accepts and which names a number of experts.</param>
    /// <param name="count">The new number.</param>
    public static byte[] Apply(ReadOnlySpan<byte> utf8Json, int count)
    {
        int start = utf8Json.StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        string[] spellings = [KimiLinearConfigReader.ExpertCount.Name, .. KimiLinearConfigReader.ExpertCount.Aliases];
        byte[] number = Encoding.ASCII.GetBytes(count.ToString(CultureInfo.InvariantCulture));
        using MemoryStream changed = new();
        int copied = 0;
        Utf8JsonReader reader = new(utf8Json[start..]);
        while (reader.Read())
        {
            if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName || !IsAny(ref reader, spellings))
            {
                continue;
            }

            _ = reader.Read();
            if (reader.TokenType == JsonTokenType.Number)
            {
                int place = start + (int)reader.TokenStartIndex;
                changed.Write(utf8Json[copied..place]);
                changed.Write(number);
                copied = place + reader.ValueSpan.Length;
            }
        }

        changed.Write(utf8Json[copied..]);
        return changed.ToArray();
    }

    private static bool IsAny(ref Utf8JsonReader reader, string[] names)
    {
        foreach (string name in names)
        {
            if (reader.ValueTextEquals(name))
            {
                return true;
            }
        }

        return false;
    }
}
