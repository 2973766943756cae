namespace KimiLinear.Sampling;

/// <summary>A set of Unicode code points that text can hold: surrogates are never in it.</summary>
internal sealed class CodePointSet
{
    private const int MaxCodePoint = 0x10FFFF;
    private const int FirstSurrogate = 0xD800;
    private const int LastSurrogate = 0xDFFF;

    private CodePointSet(List<CodePointRange> ranges)
    {
        Ranges = ranges;
    }

    /// <summary>Gets the set of all code points.</summary>
    public static CodePointSet All { get; } = Of(new CodePointRange(0, MaxCodePoint));

    /// <summary>Gets the ranges, ascending, none touching another.</summary>
    public IReadOnlyList<CodePointRange> Ranges { get; }

    /// <summary>Gets a value indicating whether nothing is in the set.</summary>
    public bool IsEmpty => Ranges.Count == 0;

    /// <summary>Makes a set of ranges in any order.</summary>
    public static CodePointSet Of(params IEnumerable<CodePointRange> ranges)
    {
        List<CodePointRange> merged = [];
        foreach (CodePointRange range in ranges.SelectMany(WithoutSurrogates).OrderBy(range => range.First))
        {
            if (merged.Count > 0 && range.First <= merged[^1].Last + 1)
            {
                merged[^1] = merged[^1] with { Last = Math.Max(merged[^1].Last, range.Last) };
            }
            else
            {
                merged.Add(range);
            }
        }

        return new CodePointSet(merged);
    }

    /// <summary>Makes a set of single characters.</summary>
    public static CodePointSet OfCharacters(string characters) =>
        Of(characters.Select(character => new CodePointRange(character, character)));

    /// <summary>Returns what is in either set.</summary>
    public CodePointSet Union(CodePointSet other) => Of(Ranges.Concat(other.Ranges));

    /// <summary>Returns what is not in the set.</summary>
    public CodePointSet Complement()
    {
        List<CodePointRange> gaps = [];
        int next = 0;
        foreach (CodePointRange range in Ranges)
        {
            gaps.Add(new CodePointRange(next, range.First - 1));
            next = range.Last + 1;
        }

        gaps.Add(new CodePointRange(next, MaxCodePoint));
        return Of(gaps);
    }

    /// <summary>Returns what is in both sets.</summary>
    public CodePointSet Intersect(CodePointSet other) => Complement().Union(other.Complement()).Complement();

    /// <summary>Tells whether a code point is in the set.</summary>
    public bool Contains(int codePoint)
    {
        int low = 0, high = Ranges.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = Ranges[middle].Last < codePoint ? (middle + 1, high) : (low, middle);
        }

        return low < Ranges.Count && Ranges[low].First <= codePoint;
    }

    private static IEnumerable<CodePointRange> WithoutSurrogates(CodePointRange range)
    {
        CodePointRange below = range with { Last = Math.Min(range.Last, FirstSurrogate - 1) };
        CodePointRange above = range with { First = Math.Max(range.First, LastSurrogate + 1) };
        return new[] { below, above }.Where(part => part.First <= part.Last);
    }
}
