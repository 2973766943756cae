using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The left side of matrix products: rows as float32 and in the quantised forms that the matrices of a stage want.</summary>
internal readonly unsafe struct Operand
{
    private readonly QuantizedRows _planes;
    private readonly QuantizedRows _tileShorts;
    private readonly QuantizedRows _evenOddShorts;
    private readonly OperandForms _forms;

    public Operand(
        MatMulInput floats, OperandForms forms, QuantizedRows planes, QuantizedRows tileShorts, QuantizedRows evenOddShorts)
    {
        Floats = floats;
        _forms = forms;
        _planes = planes;
        _tileShorts = tileShorts;
        _evenOddShorts = evenOddShorts;
    }

    public MatMulInput Floats { get; }

    public int Count => Floats.Count;

    /// <summary>The rows as the kernel of a weight type wants them; <see langword="false"/> when it wants floats.</summary>
    public bool TryGet(DataType type, out FormedRows rows)
    {
        QuantizedForm? form = _forms.Of(type);
        rows = form switch
        {
            null => default,
            QuantizedForm.TileShorts or QuantizedForm.RowShorts => new FormedRows(_tileShorts, form.Value),
            QuantizedForm.EvenOddShorts => new FormedRows(_evenOddShorts, form.Value),
            _ => new FormedRows(_planes, form.Value),
        };
        return form != null;
    }

    /// <summary>Fills the quantised forms of one row from its floats.</summary>
    public void Quantize(int row)
    {
        int maxCode = _forms.EightBit ? ActivationQuantizer.MaxByte : ActivationQuantizer.MaxShort;
        if (_forms.Planes)
        {
            QuantizedForm form = _forms.EightBit ? QuantizedForm.Bytes : QuantizedForm.BytePairs;
            ActivationQuantizer.Quantize(Floats.Row(row), _planes.ColumnCount, form, maxCode, _planes.Codes(row));
        }

        if (_forms.TileShorts && _forms.EightBit)
        {
            ActivationQuantizer.QuantizeRow(
                Floats.Row(row), _tileShorts.ColumnCount, ActivationQuantizer.MaxRowShort, _tileShorts.Codes(row));
        }
        else if (_forms.TileShorts)
        {
            ActivationQuantizer.Quantize(
                Floats.Row(row), _tileShorts.ColumnCount, QuantizedForm.TileShorts, maxCode, _tileShorts.Codes(row));
        }

        if (_forms.EvenOddShorts)
        {
            ActivationQuantizer.Quantize(
                Floats.Row(row),
                _evenOddShorts.ColumnCount,
                QuantizedForm.EvenOddShorts,
                ActivationQuantizer.MaxShort,
                _evenOddShorts.Codes(row));
        }
    }

    /// <summary>The rows at these places, in this order.</summary>
    public Operand Select(int* indices, int count) => new(
        Floats.Select(indices, count),
        _forms,
        _planes.Select(indices, count),
        _tileShorts.Select(indices, count),
        _evenOddShorts.Select(indices, count));

    /// <summary>Consecutive rows from one on.</summary>
    public Operand From(int row, int count) => new(
        Floats.From(row, count),
        _forms,
        _planes.From(row, count),
        _tileShorts.From(row, count),
        _evenOddShorts.From(row, count));
}
