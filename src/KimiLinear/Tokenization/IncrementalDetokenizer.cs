using System.Buffers;
using System.Text;

namespace KimiLinear.Tokenization;

/// <summary>Turns the tokens of one stream into text as they come, never showing half a character.</summary>
/// <remarks>
/// A character's bytes may be spread over several tokens; they are held back until the character is complete. All that
/// <see cref="Append"/> and <see cref="Flush"/> return, joined, is what <see cref="KimiTokenizer.Decode"/> makes of all the
/// tokens, with special tokens left out or included alike. Use one for each stream; it is not safe to share between threads.
/// </remarks>
public sealed class IncrementalDetokenizer
{
    // A character takes at most four bytes in UTF-8, so at most three wait for more.
    private const int MaxPendingBytes = 3;
    private const int MaxStackBytes = 256;

    private readonly KimiTokenizer _tokenizer;
    private readonly bool _includeSpecialTokens;
    private readonly byte[] _pending = new byte[MaxPendingBytes];
    private int _pendingLength;

    internal IncrementalDetokenizer(KimiTokenizer tokenizer, bool includeSpecialTokens)
    {
        _tokenizer = tokenizer;
        _includeSpecialTokens = includeSpecialTokens;
    }

    /// <summary>Takes the next token and returns the text that is complete now.</summary>
    /// <param name="tokenId">The next token id of the stream.</param>
    /// <returns>
    /// The new text, or an empty string when the token ends inside a character or is a special token that is left out.
    /// Bytes that cannot become valid UTF-8 are returned as U+FFFD.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="tokenId"/> is negative, or not below <see cref="KimiTokenizer.VocabularySize"/>.
    /// </exception>
    public string Append(int tokenId)
    {
        ReadOnlySpan<byte> token = _tokenizer.GetBytes(tokenId);
        if (!_includeSpecialTokens && _tokenizer.IsSpecialToken(tokenId))
        {
            return "";
        }

        if (_pendingLength == 0)
        {
            int heldLength = IncompleteTailLength(token);
            return heldLength == 0 ? _tokenizer.GetText(tokenId) : Take(token, heldLength);
        }

        int length = _pendingLength + token.Length;
        byte[]? rented = length > MaxStackBytes ? ArrayPool<byte>.Shared.Rent(length) : null;
        Span<byte> bytes = rented is null ? stackalloc byte[MaxStackBytes] : rented;
        bytes = bytes[..length];
        _pending.AsSpan(0, _pendingLength).CopyTo(bytes);
        token.CopyTo(bytes[_pendingLength..]);
        string text = Take(bytes, IncompleteTailLength(bytes));
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return text;
    }

    /// <summary>Ends the stream: returns what was held back, which is an incomplete character.</summary>
    /// <returns>U+FFFD when bytes were waiting for more, otherwise an empty string.</returns>
    public string Flush()
    {
        string text = Encoding.UTF8.GetString(_pending.AsSpan(0, _pendingLength));
        _pendingLength = 0;
        return text;
    }

    private string Take(ReadOnlySpan<byte> bytes, int heldLength)
    {
        ReadOnlySpan<byte> held = bytes[^heldLength..];
        held.CopyTo(_pending);
        _pendingLength = held.Length;
        return Encoding.UTF8.GetString(bytes[..^heldLength]);
    }

    // The number of bytes at the end that begin a character and lack its rest.
    private static int IncompleteTailLength(ReadOnlySpan<byte> bytes)
    {
        int longest = Math.Min(bytes.Length, MaxPendingBytes);
        for (int length = 1; length <= longest; length++)
        {
            bool continues = (bytes[^length] & 0b1100_0000) == 0b1000_0000;
            if (!continues)
            {
                return Rune.DecodeFromUtf8(bytes[^length..], out _, out _) == OperationStatus.NeedMoreData ? length : 0;
            }
        }

        return 0;
    }
}
