namespace KimiLinear.Backends;

/// <summary>Products with matrices of one GGUF type: strip by strip for a few rows of activations, by panels for many.</summary>
/// <remarks>All ways give the same bits, so that a result does not depend on how many rows a call has or where they are cut.</remarks>
internal static unsafe class StripProduct<TFormat, TSimd, TVector, TIntegers, TInteger>
    where TFormat : struct, IStripFormat
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <inheritdoc cref="IntegerKernels.MultiplyRows"/>
    public static void Multiply(
        FormedRows input, byte* rows, int rowCount, ScratchBuffer scratch, MatMulOutput output, VnniKernels? vnni)
    {
        StripRows<TFormat, TSimd, TVector, TIntegers, TInteger> weights =
            new(rows, rowCount, input.Rows.ColumnCount, input.Form);
        if (input.Rows.Count < WeightPanel.MinInputRows)
        {
            MultiplyStrips(input, weights, rowCount, scratch, output);
        }
        else if (input.Form == QuantizedForm.Bytes)
        {
            MultiplyPanels<ByteDot>(input.Rows, weights, rowCount, scratch, output, vnni);
        }
        else if (TFormat.HasOffsets)
        {
            MultiplyPanels<OffsetShortDot>(input.Rows, weights, rowCount, scratch, output, vnni);
        }
        else
        {
            MultiplyPanels<ShortDot>(input.Rows, weights, rowCount, scratch, output, vnni);
        }
    }

    private static void MultiplyPanels<TDot>(
        QuantizedRows input,
        StripRows<TFormat, TSimd, TVector, TIntegers, TInteger> weights,
        int rowCount,
        ScratchBuffer scratch,
        MatMulOutput output,
        VnniKernels? vnni)
        where TDot : struct, IPanelDot =>
        PanelProduct<TSimd, TVector, TIntegers, TInteger>.Multiply<TDot, StripRows<TFormat, TSimd, TVector, TIntegers, TInteger>>(
            input, weights, rowCount, scratch, output, vnni);

    private static void MultiplyStrips(
        FormedRows input,
        StripRows<TFormat, TSimd, TVector, TIntegers, TInteger> weights,
        int rowCount,
        ScratchBuffer scratch,
        MatMulOutput output)
    {
        int inputCount = input.Rows.Count;
        int sumCount = inputCount * StripLayout.RowCount;
        long widenedBytes = input.Form == QuantizedForm.Bytes ? inputCount * QuantizedRows.Stride(input.Rows.ColumnCount) : 0;
        byte* memory = (byte*)scratch.Get(sumCount + ((widenedBytes + weights.ScratchBytes) / sizeof(float)) + 1);
        QuantizedRows x = input.Form == QuantizedForm.Bytes ? Widen(input.Rows, memory) : input.Rows;
        float* sums = (float*)(memory + widenedBytes);
        byte* strip = (byte*)(sums + sumCount);
        long tileBytes = StripLayout.RowCount * weights.RowBytes;
        weights.Prefetch(0, tileBytes);
        for (int row = 0; row < rowCount; row += StripLayout.RowCount)
        {
            int tile = row / StripLayout.RowCount;
            long next = (tile + 1) * tileBytes;
            byte* source = weights.Rows(tile, strip);
            new Span<float>(sums, sumCount).Clear();
            for (int block = 0; block < weights.BlockCount; block += StripLayout.MaxBlocks)
            {
                int blockCount = Math.Min(StripLayout.MaxBlocks, weights.BlockCount - block);
                AddStrip(source, weights.RowBytes, strip, block, blockCount, x, sums);
                source += weights.StripBytes;
                weights.Prefetch(next, StripLayout.RowCount * weights.StripBytes);
                next += StripLayout.RowCount * weights.StripBytes;
            }

            int outputs = Math.Min(StripLayout.RowCount, rowCount - row);
            for (int t = 0; t < inputCount; t++)
            {
                output.Row(t, row).PutRows<TSimd, TVector>(sums + (t * StripLayout.RowCount), outputs);
            }
        }
    }

    // A single row of x takes the codes where they lie; for more, they are widened once and stay in the first-level cache.
    private static void AddStrip(
        byte* rows, long rowBytes, byte* strip, int firstBlock, int blockCount, QuantizedRows x, float* sums)
    {
        StripScales<TSimd, TVector, TIntegers, TInteger>.Read<TFormat>(
            rows,
            rowBytes,
            blockCount,
            (float*)(strip + StripLayout.ScalesOffset),
            (float*)(strip + StripLayout.OffsetsOffset),
            StripLayout.RowCount);
        if (x.Count == 1)
        {
            StripKernel<TSimd, TVector, TIntegers, TInteger>.AddInPlace<TFormat>(
                rows, rowBytes, strip, blockCount, new StripInput(x, 0, firstBlock), sums);
            return;
        }

        StripCodes<TVector, TIntegers, TInteger>.Widen<TFormat>(rows, rowBytes, blockCount, strip);
        for (int t = 0; t < x.Count; t++)
        {
            StripKernel<TSimd, TVector, TIntegers, TInteger>.Add<TFormat>(
                strip, blockCount, new StripInput(x, t, firstBlock), sums + (t * StripLayout.RowCount));
        }
    }

    private static QuantizedRows Widen(QuantizedRows bytes, byte* shorts)
    {
        QuantizedRows widened = new(shorts, bytes.ColumnCount, bytes.Count);
        for (int t = 0; t < bytes.Count; t++)
        {
            ActivationQuantizer.Widen(bytes.Codes(t), bytes.ColumnCount, widened.Codes(t));
        }

        return widened;
    }
}
