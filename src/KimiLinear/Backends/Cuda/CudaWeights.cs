using System.Globalization;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The weights of a model in the memory of a GPU, as few large allocations.</summary>
internal sealed unsafe class CudaWeights(CudaDevice device, CudaStaging staging) : IDisposable
{
    // What was not foreseen goes into arenas of this size or larger.
    private const long FurtherArenaBytes = 64L << 20;

    private readonly List<CudaArena> _arenas = [];
    private readonly CudaMatrixUpload _upload = new(staging);

    /// <summary>Takes the memory for these tensors at once, so that too large a model is refused before it is read.</summary>
    /// <exception cref="DeviceMemoryException">They do not fit the GPU.</exception>
    public void Expect(IEnumerable<StoredTensor> tensors)
    {
        // Matrices lie in the format for their type, everything else in float32.
        long byteCount = tensors.Sum(tensor => tensor.Shape.Rank == 2
            ? (CudaFormats.Of(tensor.DataType) ?? CudaFormat.BFloat16).AlignedBytes(1, tensor.Shape[0], tensor.Shape[1])
            : CudaArena.Aligned(tensor.Shape.ElementCount * sizeof(float)));
        if (byteCount > 0)
        {
            _arenas.Add(new CudaArena(device, "the weights", byteCount));
        }
    }

    /// <summary>The rows of all parts, those of one format that follow each other together.</summary>
    /// <param name="parts">The parts; those of several matrices one matrix after the other.</param>
    /// <param name="matrixCount">Of how many matrices of equal shape they are.</param>
    /// <exception cref="NotSupportedException">A part is stored in a type that the kernels do not take.</exception>
    public CudaMatrixPart[] Matrix(ReadOnlySpan<StoredTensor> parts, int matrixCount = 1)
    {
        List<CudaMatrixPart> made = [];
        int firstRow = 0;
        for (int first = 0; first < parts.Length;)
        {
            CudaFormat format = FormatOf(parts[first]);
            int end = first + 1;
            while (end < parts.Length && FormatOf(parts[end]) == format)
            {
                end++;
            }

            if (matrixCount > 1 && end < parts.Length)
            {
                throw Refuse(
                    parts[end], $"take all experts of a layer in one type, and '{parts[0].Name}' is {parts[0].DataType}");
            }

            CudaMatrixPart part = Place(parts[first..end], format, matrixCount, firstRow);
            made.Add(part);
            firstRow += part.RowCount;
            first = end;
        }

        return [.. made];
    }

    /// <summary>The rows of a matrix in bfloat16, rounded where they are stored as 8-bit floats.</summary>
    /// <exception cref="NotSupportedException">It is stored in another type.</exception>
    public CudaMatrixPart PlainMatrix(StoredTensor stored)
    {
        if (stored.DataType != DataType.Float8E4M3)
        {
            return FormatOf(stored) == CudaFormat.BFloat16
                ? Place([stored], CudaFormat.BFloat16, matrixCount: 1, firstRow: 0)
                : throw Refuse(stored, "of this matrix take bfloat16 and 8-bit floats only");
        }

        CudaRegion region = Reserve(stored.Name, stored.Shape.ElementCount * sizeof(ushort));
        _upload.Rounded(stored, region, 0);
        Release(stored);
        return new CudaMatrixPart(
            CudaFormat.BFloat16, new WeightMatrix { Values = region.Address }, region, 0, (int)stored.Shape[0]);
    }

    /// <summary>Values in float32, in the order in which they are stored.</summary>
    public CudaRegion Vector(StoredTensor stored)
    {
        float[] values = new float[stored.Shape.ElementCount];
        StoredValues.CopyTo(stored, values);
        return Upload(stored.Name, values);
    }

    /// <summary>The taps of a convolution, stored [C, 1, W], tap by tap: [W, C].</summary>
    public CudaRegion Convolution(StoredTensor stored, int tapCount)
    {
        float[] inFileOrder = new float[stored.Shape.ElementCount];
        StoredValues.CopyTo(stored, inFileOrder);
        int channels = inFileOrder.Length / tapCount;
        float[] values = new float[inFileOrder.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[(i % tapCount * channels) + (i / tapCount)] = inFileOrder[i];
        }

        return Upload(stored.Name, values);
    }

    public void Dispose()
    {
        foreach (CudaArena arena in _arenas)
        {
            arena.Dispose();
        }

        _arenas.Clear();
    }

    private static CudaFormat FormatOf(StoredTensor part)
    {
        if (CudaFormats.Of(part.DataType) is not { } format)
        {
            throw Refuse(part, "multiply bfloat16 weights, 8-bit floats and those packed by this library only");
        }

        return part.Shape[1] % format.ColumnGranule() == 0
            ? format
            : throw Refuse(part, $"take rows of a multiple of {format.ColumnGranule()} values in it, not of {part.Shape[1]}");
    }

    private static NotSupportedException Refuse(StoredTensor part, string rule) => new(
        $"'{part.Name}' in '{part.FilePath}' is stored as {part.DataType}, but the CUDA kernels {rule}. "
        + "Choose the device torch:cuda or cpu.");

    // The GPU has it; it need not stay in the memory of the process as well.
    private static void Release(StoredTensor part)
    {
        if (part.IsMapped)
        {
            MappedPages.Release(part.Data, part.ByteCount);
        }
    }

    private CudaMatrixPart Place(ReadOnlySpan<StoredTensor> parts, CudaFormat format, int matrixCount, int firstRow)
    {
        long columns = parts[0].Shape[1];
        long rows = 0;
        foreach (StoredTensor part in parts)
        {
            rows += part.Shape[0];
        }

        long matrixRows = rows / matrixCount;
        CudaRegion region = Reserve(parts[0].Name, format.AlignedBytes(matrixCount, matrixRows, columns));
        long scaleOffset = CudaArena.Aligned(format.ValueBytes(rows, columns));
        long rowScaleOffset = scaleOffset + CudaArena.Aligned(matrixCount * format.ScaleByteCount(matrixRows, columns));
        long row = 0;
        foreach (StoredTensor part in parts)
        {
            _upload.Values(part, region, format.ValueBytes(row, columns));
            if (format == CudaFormat.Packed4)
            {
                _upload.RowScales(part, region, rowScaleOffset + (row * sizeof(float)));
            }

            row += part.Shape[0];
        }

        int partsPerMatrix = parts.Length / matrixCount;
        for (int i = 0; i < matrixCount && format != CudaFormat.BFloat16; i++)
        {
            _upload.Scales(
                parts.Slice(i * partsPerMatrix, partsPerMatrix),
                matrixRows,
                format,
                region,
                scaleOffset + (i * format.ScaleByteCount(matrixRows, columns)));
        }

        foreach (StoredTensor part in parts)
        {
            Release(part);
        }

        WeightMatrix matrix = new()
        {
            Values = region.Address,
            Scales = format == CudaFormat.BFloat16 ? 0 : region.Address + (nint)scaleOffset,
            RowScales = format == CudaFormat.Packed4 ? region.Address + (nint)rowScaleOffset : 0,
            ScaleStride = CudaFormats.ScaleStride(matrixRows),
        };
        return new CudaMatrixPart(format, matrix, region, firstRow, checked((int)rows));
    }

    private CudaRegion Upload(string name, float[] values)
    {
        long byteCount = (long)values.Length * sizeof(float);
        CudaRegion region = Reserve(name, byteCount);
        fixed (float* source = values)
        {
            staging.Copy((byte*)source, region, 0, byteCount);
        }

        return region;
    }

    private CudaRegion Reserve(string name, long byteCount)
    {
        if (_arenas.Count == 0 || _arenas[^1].ByteCount - _arenas[^1].UsedBytes < byteCount)
        {
            string purpose = string.Create(CultureInfo.InvariantCulture, $"the weights, of which '{name}' is next");
            _arenas.Add(new CudaArena(device, purpose, Math.Max(FurtherArenaBytes, CudaArena.Aligned(byteCount))));
        }

        return _arenas[^1].Reserve(name, byteCount);
    }
}
