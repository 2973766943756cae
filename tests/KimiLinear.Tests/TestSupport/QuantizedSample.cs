using KimiLinear.Backends;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Rows of activations in one form, in memory that ends or begins where the process may read no further.</summary>
internal sealed unsafe class QuantizedSample : IDisposable
{
    private readonly GuardedMemory _memory;
    private readonly int _columns;

    public QuantizedSample(float[] values, int columns, QuantizedForm form, int maxCode, bool guardsStart = false)
    {
        int count = values.Length / columns;
        Form = form;
        _columns = columns;
        _memory = new GuardedMemory(count * QuantizedRows.Stride(columns), guardsStart);
        Rows = new QuantizedRows(_memory.Data, columns, count);
        new Span<byte>(_memory.Data, (int)(count * QuantizedRows.Stride(columns))).Fill(0xFF);
        using GuardedMemory source = new(values.Length * sizeof(float), guardsStart);
        values.CopyTo(new Span<float>(source.Data, values.Length));
        for (int row = 0; row < count; row++)
        {
            float* floats = (float*)source.Data + ((long)row * columns);
            if (form == QuantizedForm.RowShorts)
            {
                ActivationQuantizer.QuantizeRow(floats, columns, maxCode, Rows.Codes(row));
            }
            else
            {
                ActivationQuantizer.Quantize(floats, columns, form, maxCode, Rows.Codes(row));
            }
        }
    }

    public QuantizedForm Form { get; }

    public QuantizedRows Rows { get; }

    public FormedRows Formed => new(Rows, Form);

    public int Code(int row, int column)
    {
        byte* codes = Rows.Codes(row);
        // the middle two of every four columns change places
        int swapped = (column % 4) switch { 1 => column + 1, 2 => column - 1, _ => column };
        // of every 16 columns the even ones first
        int evenFirst = (column / 16 * 16) + (column % 2 * 8) + (column % 16 / 2);
        return Form switch
        {
            QuantizedForm.Bytes => ((sbyte*)codes)[column],
            QuantizedForm.BytePairs => (256 * ((sbyte*)codes)[column]) + ((sbyte*)codes)[_columns + column],
            QuantizedForm.TileShorts or QuantizedForm.RowShorts => ((short*)codes)[swapped],
            _ => ((short*)codes)[evenFirst],
        };
    }

    public float Scale(int row, int block) => ((float*)(Rows.Codes(row) + Rows.ScalesOffset))[block];

    /// <summary>Minus the scale times the sum of the block's codes.</summary>
    public float Offset(int row, int block) => ((float*)(Rows.Codes(row) + Rows.ScalesOffset))[Rows.BlockCount + block];

    /// <summary>The scale of all blocks of a row.</summary>
    public float RowScale(int row) => Form == QuantizedForm.RowShorts ? Rows.RowScale(row) : 1;

    /// <summary>What a code stands for.</summary>
    public double Value(int row, int column) =>
        (double)RowScale(row) * Scale(row, column / QuantizedRows.BlockColumns) * Code(row, column);

    public void Dispose() => _memory.Dispose();
}
