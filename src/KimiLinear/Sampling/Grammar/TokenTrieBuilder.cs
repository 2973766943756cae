namespace KimiLinear.Sampling;

/// <summary>Lays tokens out as a tree. They come in the order of their bytes.</summary>
internal sealed class TokenTrieBuilder
{
    private readonly List<byte> _bytes = [0];
    private readonly List<int> _ends = [0];
    private readonly List<int> _depths = [0];
    private readonly List<int> _tokenIds = [TokenTrie.NoToken];
    private readonly List<bool> _hasSpecialText = [false];

    // The places from the root to the last token's end.
    private readonly List<int> _path = [0];

    /// <summary>Adds a token.</summary>
    public void Add(int tokenId, ReadOnlySpan<byte> bytes, bool isPlain)
    {
        int shared = 0;
        while (shared < bytes.Length && shared + 1 < _path.Count && _bytes[_path[shared + 1]] == bytes[shared])
        {
            shared++;
        }

        Leave(shared + 1);
        for (int i = shared; i < bytes.Length; i++)
        {
            _path.Add(_bytes.Count);
            _bytes.Add(bytes[i]);
            _ends.Add(0);
            _depths.Add(i + 1);
            _tokenIds.Add(TokenTrie.NoToken);
            _hasSpecialText.Add(false);
        }

        _tokenIds[_path[^1]] = tokenId;
        for (int i = 0; i < _path.Count && !isPlain; i++)
        {
            _hasSpecialText[_path[i]] = true;
        }
    }

    /// <summary>Returns the tree.</summary>
    public (byte[] Bytes, int[] Ends, int[] Depths, int[] TokenIds, bool[] HasSpecialText) Build()
    {
        Leave(0);
        return ([.. _bytes], [.. _ends], [.. _depths], [.. _tokenIds], [.. _hasSpecialText]);
    }

    private void Leave(int keptCount)
    {
        for (int i = _path.Count - 1; i >= keptCount; i--)
        {
            _ends[_path[i]] = _bytes.Count;
            _path.RemoveAt(i);
        }
    }
}
