namespace KimiLinear.Backends;

/// <summary>A softmax over a part of the pages, not yet divided by its sum.</summary>
internal readonly unsafe struct AbsorbedPartial(float* maxima, float* sums, float* contexts)
{
    public float* Maxima { get; } = maxima;     // [rows]

    public float* Sums { get; } = sums;         // [rows]

    public float* Contexts { get; } = contexts; // [rows, IntegerRank]

    /// <summary>The same from a row on.</summary>
    public AbsorbedPartial From(int row, int rank) => new(Maxima + row, Sums + row, Contexts + ((long)row * rank));
}
