using System.Text;

namespace KimiLinear.Sampling;

/// <summary>What the bytes of a token are to JSON text.</summary>
internal static class TokenText
{
    /// <summary>
    /// Returns the number of characters if the bytes are whole characters that stand for themselves in a JSON string; otherwise,
    /// or if there are more than 255, 0.
    /// </summary>
    public static byte PlainLength(ReadOnlySpan<byte> bytes)
    {
        int count = 0;
        while (!bytes.IsEmpty)
        {
            if (bytes[0] < ' ' || bytes[0] is (byte)'"' or (byte)'\\'
                || Rune.DecodeFromUtf8(bytes, out _, out int length) != System.Buffers.OperationStatus.Done)
            {
                return 0;
            }

            bytes = bytes[length..];
            count++;
        }

        return count <= byte.MaxValue ? (byte)count : (byte)0;
    }

    /// <summary>Returns the state behind a byte.</summary>
    public static JsonLexicalState Next(JsonLexicalState state, byte value) => state switch
    {
        JsonLexicalState.InEscape => JsonLexicalState.InString,
        JsonLexicalState.InString when value == '\\' => JsonLexicalState.InEscape,
        JsonLexicalState.InString when value == '"' => JsonLexicalState.Outside,
        JsonLexicalState.Outside when value == '"' => JsonLexicalState.InString,
        _ => state,
    };

    /// <summary>Tells whether a string both begins and ends in the bytes, when they are written in a state.</summary>
    public static bool HasWholeString(ReadOnlySpan<byte> bytes, JsonLexicalState state)
    {
        bool isBegun = false;
        foreach (byte value in bytes)
        {
            JsonLexicalState next = Next(state, value);
            if (isBegun && next == JsonLexicalState.Outside && state != JsonLexicalState.Outside)
            {
                return true;
            }

            isBegun |= state == JsonLexicalState.Outside && next == JsonLexicalState.InString;
            state = next;
        }

        return false;
    }
}
