namespace KimiLinear.Backends;

/// <summary>One row of <see cref="QuantizedForm.EvenOddShorts"/> from a strip's first column on.</summary>
internal readonly unsafe struct StripInput(QuantizedRows rows, int row, int firstBlock)
{
    public const int BlockBytes = QuantizedRows.BlockColumns * sizeof(short);

    public byte* Codes { get; } = rows.Codes(row) + (firstBlock * BlockBytes);

    public float* Scales { get; } = (float*)(rows.Codes(row) + rows.ScalesOffset) + firstBlock;

    public float* Offsets { get; } = (float*)(rows.Codes(row) + rows.ScalesOffset) + rows.BlockCount + firstBlock;
}
