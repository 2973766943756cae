namespace KimiLinear.Sampling;

/// <summary>A set of byte values.</summary>
internal readonly record struct ByteSet(ulong B0, ulong B1, ulong B2, ulong B3)
{
    /// <summary>Returns the set of the values from one to another, both included.</summary>
    public static ByteSet Range(int first, int last)
    {
        ByteSet set = default;
        for (int value = first; value <= last; value++)
        {
            set = set.With(value);
        }

        return set;
    }

    /// <summary>Returns this set and one value more.</summary>
    public ByteSet With(int value)
    {
        ulong bit = 1ul << (value & 63);
        return (value >> 6) switch
        {
            0 => this with { B0 = B0 | bit },
            1 => this with { B1 = B1 | bit },
            2 => this with { B2 = B2 | bit },
            _ => this with { B3 = B3 | bit },
        };
    }

    /// <summary>Returns what is in either set.</summary>
    public ByteSet Union(ByteSet other) => new(B0 | other.B0, B1 | other.B1, B2 | other.B2, B3 | other.B3);

    /// <summary>Tells whether a value is in the set.</summary>
    public bool Contains(byte value)
    {
        ulong word = (value >> 6) switch { 0 => B0, 1 => B1, 2 => B2, _ => B3 };
        return (word >> (value & 63) & 1) != 0;
    }
}
