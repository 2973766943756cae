namespace KimiLinear.Backends;

/// <summary>Memory for the quantised forms of one operand, reused from step to step.</summary>
internal sealed unsafe class OperandBuffer : IDisposable
{
    private readonly ScratchBuffer _planes = new();
    private readonly ScratchBuffer _tileShorts = new();
    private readonly ScratchBuffer _evenOddShorts = new();

    /// <summary>Makes room; the forms are undefined until <see cref="Operand.Quantize"/> has run for every row.</summary>
    public Operand Reserve(MatMulInput floats, int columnCount, OperandForms forms)
    {
        long floatsPerRow = QuantizedRows.Stride(columnCount) / sizeof(float);
        return new Operand(
            floats,
            forms,
            Rows(_planes, forms.Planes),
            Rows(_tileShorts, forms.TileShorts),
            Rows(_evenOddShorts, forms.EvenOddShorts));

        QuantizedRows Rows(ScratchBuffer buffer, bool wanted) =>
            new(wanted ? (byte*)buffer.Get(floats.Count * floatsPerRow) : null, columnCount, floats.Count);
    }

    public void Dispose()
    {
        _planes.Dispose();
        _tileShorts.Dispose();
        _evenOddShorts.Dispose();
    }
}
