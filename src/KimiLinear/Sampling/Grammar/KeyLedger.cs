using System.Runtime.InteropServices;

namespace KimiLinear.Sampling;

/// <summary>Remembers the keys of the objects that are open, and forbids those that would come twice.</summary>
/// <remarks>
/// No automaton can do that, since any key may come first. Keys are canonically spelled, so bytes can be compared. Belongs to one
/// request; allocates only when it must grow.
/// </remarks>
internal sealed class KeyLedger
{
    private readonly List<byte> _bytes = new(capacity: 1024);
    private readonly List<int> _keyEnds = new(capacity: 64);
    private readonly List<Container> _open = new(capacity: 64);
    private byte[] _rest = new byte[64];
    private JsonLexicalState _state;
    private bool _expectsKey;
    private bool _isKey;

    /// <summary>Begins a new value.</summary>
    public void Reset()
    {
        _bytes.Clear();
        _keyEnds.Clear();
        _open.Clear();
        (_state, _expectsKey, _isKey) = (JsonLexicalState.Outside, false, false);
    }

    /// <summary>Takes the next bytes of the value.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            Append(value);
        }
    }

    /// <summary>Forbids the tokens that would complete a key that is there already.</summary>
    /// <param name="trie">The vocabulary.</param>
    /// <param name="logits">The scores. [N]</param>
    public void Exclude(TokenTrie trie, Span<float> logits)
    {
        // Such a token might hold a whole key. What it says can be said by others.
        Forbid(trie.WithWholeString(_state), logits);
        if (!_isKey)
        {
            return;
        }

        ReadOnlySpan<byte> bytes = CollectionsMarshal.AsSpan(_bytes);
        int firstKey = _open[^1].FirstKey;
        ReadOnlySpan<byte> written = bytes[KeyStart(_keyEnds.Count)..];
        for (int key = firstKey; key < _keyEnds.Count; key++)
        {
            ReadOnlySpan<byte> known = bytes[KeyStart(key).._keyEnds[key]];
            if (known.StartsWith(written))
            {
                ForbidBeginnings(trie, known[written.Length..], logits);
            }
        }
    }

    private void Append(byte value)
    {
        JsonLexicalState next = TokenText.Next(_state, value);
        if (_state == JsonLexicalState.Outside)
        {
            _isKey = next == JsonLexicalState.InString && _expectsKey;
            AppendOutside(value);
        }
        else if (_isKey && next == JsonLexicalState.Outside)
        {
            _keyEnds.Add(_bytes.Count);
            _isKey = false;
        }
        else if (_isKey)
        {
            _bytes.Add(value);
        }

        _state = next;
    }

    private void AppendOutside(byte value)
    {
        switch (value)
        {
            case (byte)'{' or (byte)'[':
                _expectsKey = value == '{';
                _open.Add(new Container(_expectsKey, _keyEnds.Count));
                break;
            case (byte)'}' or (byte)']':
                int firstKey = _open[^1].FirstKey;
                _open.RemoveAt(_open.Count - 1);
                _bytes.RemoveRange(KeyStart(firstKey), _bytes.Count - KeyStart(firstKey));
                _keyEnds.RemoveRange(firstKey, _keyEnds.Count - firstKey);
                _expectsKey = false;
                break;
            case (byte)',':
                _expectsKey = _open.Count > 0 && _open[^1].IsObject;
                break;
            case (byte)':':
                _expectsKey = false;
                break;
        }
    }

    private int KeyStart(int key) => key == 0 ? 0 : _keyEnds[key - 1];

    // All tokens that begin with the rest of a key and its closing quote.
    private void ForbidBeginnings(TokenTrie trie, ReadOnlySpan<byte> rest, Span<float> logits)
    {
        if (rest.Length + 1 > _rest.Length)
        {
            Array.Resize(ref _rest, Math.Max(rest.Length + 1, _rest.Length * 2));
        }

        rest.CopyTo(_rest);
        _rest[rest.Length] = (byte)'"';
        int place = trie.Find(0, _rest.AsSpan(0, rest.Length + 1));
        if (place != ByteTrie.None)
        {
            Forbid(trie.TokenIds[place..trie.Ends[place]], logits);
        }
    }

    private static void Forbid(ReadOnlySpan<int> tokenIds, Span<float> logits)
    {
        foreach (int tokenId in tokenIds)
        {
            if ((uint)tokenId < (uint)logits.Length)
            {
                logits[tokenId] = float.NegativeInfinity;
            }
        }
    }

    private readonly record struct Container(bool IsObject, int FirstKey);
}
