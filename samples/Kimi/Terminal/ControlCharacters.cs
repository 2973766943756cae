using System.Text;

namespace Kimi.Terminal;

/// <summary>Makes text of unknown origin harmless to a terminal.</summary>
internal static class ControlCharacters
{
    /// <summary>Replaces control characters, other than line feeds and tabs, by their visible symbols.</summary>
    public static string Show(string text)
    {
        if (!text.Any(IsHarmful))
        {
            return text;
        }

        StringBuilder shown = new(text.Length);
        foreach (char character in text)
        {
            // U+2400 and the following ones picture the characters from 0 on.
            char picture = character < 0x20 ? (char)(0x2400 + character) : '\uFFFD';
            _ = shown.Append(IsHarmful(character) ? picture : character);
        }

        return shown.ToString();
    }

    private static bool IsHarmful(char character) => char.IsControl(character) && character is not ('\n' or '\t');
}
