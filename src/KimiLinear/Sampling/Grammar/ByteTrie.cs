namespace KimiLinear.Sampling;

/// <summary>A finite set of byte strings as a tree; place 0 is its root. Filled once, then only read.</summary>
internal sealed class ByteTrie
{
    /// <summary>What <see cref="Child"/> returns where no string goes on with that byte.</summary>
    public const int None = -1;

    private readonly List<SortedList<byte, int>> _children = [new SortedList<byte, int>()];
    private readonly List<bool> _isEnd = [false];

    /// <summary>Gets a value indicating whether there is no string.</summary>
    public bool IsEmpty => _isEnd.Count == 1 && !_isEnd[0];

    /// <summary>Adds a string.</summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        int place = 0;
        foreach (byte value in text)
        {
            if (!_children[place].TryGetValue(value, out int next))
            {
                next = _children.Count;
                _children[place].Add(value, next);
                _children.Add([]);
                _isEnd.Add(false);
            }

            place = next;
        }

        _isEnd[place] = true;
    }

    /// <summary>Returns the place one byte further, or <see cref="None"/>.</summary>
    public int Child(int place, byte value) => _children[place].TryGetValue(value, out int next) ? next : None;

    /// <summary>Returns the bytes that go on from a place, ascending, each with the place it leads to.</summary>
    public IEnumerable<KeyValuePair<byte, int>> Children(int place) => _children[place];

    /// <summary>Tells whether a string ends at a place.</summary>
    public bool IsEnd(int place) => _isEnd[place];
}
