namespace KimiLinear.Backends;

/// <summary>Some new tokens of a sequence.</summary>
internal unsafe struct AbsorbedRun
{
    public int[] PageTable;
    public int CachedTokens; // before the first of these tokens
    public int TokenCount;
    public float* Queries;   // [TokenCount, projection], all heads' queries at the front of each row
    public float* Output;    // [TokenCount, H·V]
    public int FirstRow;
    public int RowCount;     // [head, token], rounded up to fours
    public int FirstUnit;
    public int UnitCount;
    public int UnitPages;
    public long PartialOffset;
    public long PartialLength;
}
