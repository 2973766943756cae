using System.Runtime.Intrinsics.X86;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of quantised activations with GGUF matrices: strip by strip for a few rows of activations, else by panels.</summary>
internal static unsafe class StripProduct<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    private const int CacheLineBytes = 64;

    /// <inheritdoc cref="IntegerKernels.MultiplyRows"/>
    public static void Multiply(
        FormedRows input, DataType type, byte* rows, int rowCount, ScratchBuffer scratch, MatMulOutput output)
    {
        StripRows<TSimd, TVector, TIntegers, TInteger> source = new(type, rows, rowCount, input.Rows.ColumnCount, input.Form);
        bool hasOffsets = StripLayout.HasOffsets(type);
        if (input.Form == QuantizedForm.Bytes)
        {
            MultiplyPanels<ByteDot>(input.Rows, source, rowCount, scratch, output);
        }
        else if (input.Rows.Count >= QuantizedForms.PanelThreshold && hasOffsets)
        {
            MultiplyPanels<OffsetShortDot>(input.Rows, source, rowCount, scratch, output);
        }
        else if (input.Rows.Count >= QuantizedForms.PanelThreshold)
        {
            MultiplyPanels<ShortDot>(input.Rows, source, rowCount, scratch, output);
        }
        else if (hasOffsets)
        {
            MultiplyStrips<WithOffsets>(input.Rows, source, rowCount, scratch, output);
        }
        else
        {
            MultiplyStrips<WithoutOffsets>(input.Rows, source, rowCount, scratch, output);
        }
    }

    private static void MultiplyPanels<TDot>(
        QuantizedRows input,
        StripRows<TSimd, TVector, TIntegers, TInteger> source,
        int rowCount,
        ScratchBuffer scratch,
        MatMulOutput output)
        where TDot : struct, IPanelDot =>
        PanelProduct<TSimd, TVector, TIntegers, TInteger>.Multiply<TDot, StripRows<TSimd, TVector, TIntegers, TInteger>>(
            input, source, rowCount, scratch, output);

    // Sixteen rows of weights at a time; each strip is widened once and stays in the first-level cache for all rows of x.
    private static void MultiplyStrips<TOffsets>(
        QuantizedRows input,
        StripRows<TSimd, TVector, TIntegers, TInteger> source,
        int rowCount,
        ScratchBuffer scratch,
        MatMulOutput output)
        where TOffsets : struct, IStripOffsets
    {
        int sumCount = input.Count * StripLayout.RowCount;
        float* sums = scratch.Get(sumCount + (source.ScratchBytes / sizeof(float)) + 1);
        byte* strip = (byte*)(sums + sumCount);
        long aheadBytes = StripLayout.RowCount * source.StripBytes;
        byte* ahead = source.Start;
        Prefetch(ref ahead, StripLayout.RowCount * source.RowBytes, source.End);
        for (int row = 0; row < rowCount; row += StripLayout.RowCount)
        {
            new Span<float>(sums, sumCount).Clear();
            byte* weights = source.Rows(row / StripLayout.RowCount, strip);
            for (int block = 0; block < source.BlockCount; block += StripLayout.MaxBlocks, weights += source.StripBytes)
            {
                Prefetch(ref ahead, aheadBytes, source.End);
                int count = Math.Min(StripLayout.MaxBlocks, source.BlockCount - block);
                StripScales<TSimd, TVector, TIntegers, TInteger>.Read(
                    source.Type,
                    weights,
                    source.RowBytes,
                    count,
                    (float*)(strip + StripLayout.ScalesOffset),
                    (float*)(strip + StripLayout.OffsetsOffset),
                    StripLayout.RowCount);
                StripCodes<TVector, TIntegers, TInteger>.Widen(source.Type, weights, source.RowBytes, count, strip);
                for (int t = 0; t < input.Count; t++)
                {
                    byte* x = input.Codes(t);
                    StripKernel<TSimd, TVector, TIntegers, TInteger>.Add<TOffsets>(
                        strip,
                        count,
                        x + (block * QuantizedRows.BlockColumns * sizeof(short)),
                        (float*)(x + input.ScalesOffset) + block,
                        input.BlockCount,
                        sums + (t * StripLayout.RowCount));
                }
            }

            int outputs = Math.Min(StripLayout.RowCount, rowCount - row);
            for (int t = 0; t < input.Count; t++)
            {
                output.Row(t, row).PutRows<TSimd, TVector>(sums + (t * StripLayout.RowCount), outputs);
            }
        }
    }

    // Sixteen rows are read side by side, which no machine foresees; but together they lie in one piece, which is fetched one
    // tile ahead, as much with every strip as a strip takes.
    private static void Prefetch(ref byte* from, long byteCount, byte* end)
    {
        byte* to = from + byteCount < end ? from + byteCount : end;
        if (Sse.IsSupported)
        {
            for (; from < to; from += CacheLineBytes)
            {
                Sse.Prefetch1(from);
            }
        }
    }
}
