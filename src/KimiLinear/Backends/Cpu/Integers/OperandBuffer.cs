namespace KimiLinear.Backends;

/// <summary>Memory for the quantised forms of one operand, reused from step to step.</summary>
internal sealed unsafe class OperandBuffer : IDisposable
{
    private readonly ScratchBuffer _planes = new();
    private readonly ScratchBuffer _tileShorts = new();

    /// <summary>Makes room; the forms are undefined until <see cref="Operand.Quantize"/> has run for every row.</summary>
    public Operand Reserve(MatMulInput floats, int columnCount, OperandForms forms)
    {
        long floatsPerRow = QuantizedRows.Stride(columnCount) / sizeof(float);
        byte* planes = forms.Planes ? (byte*)_planes.Get(floats.Count * floatsPerRow) : null;
        byte* tileShorts = forms.TileShorts ? (byte*)_tileShorts.Get(floats.Count * floatsPerRow) : null;
        return new Operand(
            floats,
            forms,
            new QuantizedRows(planes, columnCount, floats.Count),
            new QuantizedRows(tileShorts, columnCount, floats.Count));
    }

    public void Dispose()
    {
        _planes.Dispose();
        _tileShorts.Dispose();
    }
}
