using System.Globalization;
using System.Text;

namespace KimiLinear.Sampling;

/// <summary>Follows the id of a call while it is written: the name of a tool, then the one number that comes next.</summary>
/// <remarks>Belongs to one request.</remarks>
internal sealed class CallIdWriter(ToolCallSection section, TokenTrie trie)
{
    private readonly byte[][] _ids = new byte[section.Tools.Count][];
    private readonly bool[] _isPossible = new bool[section.Tools.Count];
    private readonly int[] _next = new int[TokenMask.MaxListed];
    private int _writtenLength;

    /// <summary>Gets a value indicating whether a whole id is written.</summary>
    public bool IsComplete => Written >= 0;

    /// <summary>Gets the grammar of the arguments of the tool whose id is written.</summary>
    public JsonGrammar Tool => section.Tools[Written].Arguments;

    private int Written
    {
        get
        {
            for (int tool = 0; tool < _ids.Length; tool++)
            {
                if (_isPossible[tool] && _ids[tool].Length == _writtenLength)
                {
                    return tool;
                }
            }

            return -1;
        }
    }

    /// <summary>Begins the id of a call with a number.</summary>
    public void Begin(int index)
    {
        string number = index.ToString(CultureInfo.InvariantCulture);
        for (int tool = 0; tool < _ids.Length; tool++)
        {
            _ids[tool] = Encoding.UTF8.GetBytes(section.Tools[tool].IdBeginning + number);
            _isPossible[tool] = true;
        }

        _writtenLength = 0;
    }

    /// <summary>Takes the next bytes of the id.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        for (int tool = 0; tool < _ids.Length; tool++)
        {
            _isPossible[tool] &= _ids[tool].AsSpan(Math.Min(_writtenLength, _ids[tool].Length)).StartsWith(bytes);
        }

        _writtenLength += bytes.Length;
    }

    /// <summary>Returns the tokens that may come next; of tools that are very many the first ones.</summary>
    public ReadOnlySpan<int> NextTokens()
    {
        int count = 0;
        for (int tool = 0; tool < _ids.Length; tool++)
        {
            if (_isPossible[tool])
            {
                AddBeginnings(_ids[tool].AsSpan(_writtenLength), ref count);
            }
        }

        return _next.AsSpan(0, count);
    }

    private void AddBeginnings(ReadOnlySpan<byte> rest, ref int count)
    {
        int place = 0;
        for (int i = 0; i < rest.Length && place != ByteTrie.None; i++)
        {
            place = trie.Find(place, rest.Slice(i, 1));
            if (place == ByteTrie.None || trie.TokenIds[place] == TokenTrie.NoToken)
            {
                continue;
            }

            // Tools whose names begin alike share tokens.
            int tokenId = trie.TokenIds[place];
            if (count < _next.Length && !_next.AsSpan(0, count).Contains(tokenId))
            {
                _next[count++] = tokenId;
            }
        }
    }
}
