using System.Globalization;

namespace KimiLinear.Tokenization;

/// <summary>Text that can be written as UTF-8 and read again unchanged.</summary>
internal static class WholeText
{
    /// <exception cref="ArgumentException"><paramref name="text"/> holds half of a surrogate pair.</exception>
    public static void Require(string text, string parameter)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (CharacterClasses.IsPairAt(text, i))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                throw new ArgumentException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{parameter} holds half of a surrogate pair at index {i}, which no text can hold."),
                    parameter);
            }
        }
    }
}
