using System.Diagnostics;

namespace KimiLinear.Tensors;

/// <summary>The lengths of a tensor's axes, outermost first; row-major, the last axis fastest.</summary>
internal sealed class Shape : IEquatable<Shape>
{
    private readonly long[] _lengths;

    public Shape(params ReadOnlySpan<long> lengths)
    {
        Debug.Assert(!lengths.ContainsAnyInRange(long.MinValue, -1), "An axis cannot have a negative length.");
        _lengths = lengths.ToArray();
    }

    /// <summary>Number of axes.</summary>
    public int Rank => _lengths.Length;

    public ReadOnlySpan<long> Lengths => _lengths;

    /// <summary>Number of values; 1 for a scalar.</summary>
    /// <exception cref="OverflowException">The product does not fit 64 bits.</exception>
    public long ElementCount
    {
        get
        {
            long count = 1;
            foreach (long length in _lengths)
            {
                count = checked(count * length);
            }

            return count;
        }
    }

    public long this[int axis] => _lengths[axis];

    public bool Equals(Shape? other) => other is not null && _lengths.AsSpan().SequenceEqual(other._lengths);

    public override bool Equals(object? obj) => Equals(obj as Shape);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (long length in _lengths)
        {
            hash.Add(length);
        }

        return hash.ToHashCode();
    }

    public override string ToString() => $"[{string.Join(", ", _lengths)}]";
}
