using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;
using Wide = KimiLinear.Backends.PanelKernel<
    KimiLinear.Backends.Simd512,
    System.Runtime.Intrinsics.Vector512<float>,
    KimiLinear.Backends.Integer512,
    System.Runtime.Intrinsics.Vector512<int>>;

namespace KimiLinear.Tests.Backends;

/// <summary>
/// Panels multiplied by machine code against the compiled kernel, bit by bit, with the largest and smallest codes that formats have:
/// there a sum that is kept too narrow, or taken for one without a sign, shows.
/// </summary>
public sealed unsafe class VnniPanelTests
{
    // Whatever form it is, machine code multiplies the same bytes.
    private const QuantizedForm Shorts = QuantizedForm.TileShorts;

    // Six bits and a sign times a scale of a byte.
    private const int MaxSixBitCode = 4096;

    private static readonly int[] BlockCounts = [1, 2, 3, 72];

    public static TheoryData<string, Extreme, Extreme> Cases => new MatrixTheoryData<string, Extreme, Extreme>(
        [nameof(ScaledByteDot), nameof(ByteDot), nameof(RowShortDot), nameof(ShortDot), nameof(OffsetShortDot)],
        Enum.GetValues<Extreme>(),
        Enum.GetValues<Extreme>());

    [Theory]
    [MemberData(nameof(Cases))]
    public void FourTiles_CodesOfAnyRange_GivesTheBitsOfTheCompiledKernel(string dot, Extreme weights, Extreme inputs)
    {
        // There is nothing to compare without these instructions; nothing may claim otherwise.
        if (VnniKernels.Instance is not { } kernels)
        {
            Assert.NotEqual(SimdWidth.Bits512Vnni, CpuBackends.Widest);
            return;
        }

        foreach (int blockCount in BlockCounts)
        {
            PanelCase shape = new(blockCount, weights, inputs);
            switch (dot)
            {
                case nameof(ScaledByteDot):
                    Check<ScaledByteDot>(kernels, shape, 0, 15, QuantizedForm.Bytes, ActivationQuantizer.MaxByte);
                    break;
                case nameof(ByteDot):
                    Check<ByteDot>(kernels, shape, 0, 15, QuantizedForm.Bytes, ActivationQuantizer.MaxByte);
                    break;
                case nameof(RowShortDot):
                    Check<RowShortDot>(
                        kernels, shape, sbyte.MinValue, sbyte.MaxValue, Shorts, ActivationQuantizer.MaxRowShort);
                    break;
                case nameof(ShortDot):
                    Check<ShortDot>(kernels, shape, -MaxSixBitCode, MaxSixBitCode, Shorts, ActivationQuantizer.MaxShort);
                    break;
                default:
                    Check<OffsetShortDot>(
                        kernels, shape, short.MinValue, short.MaxValue, Shorts, ActivationQuantizer.MaxByte);
                    break;
            }
        }
    }

    private static void Check<TDot>(
        VnniKernels kernels, PanelCase shape, int minWeight, int maxWeight, QuantizedForm form, int maxInput)
        where TDot : struct, IPanelDot
    {
        Random random = new(shape.BlockCount);
        long panelBytes = WeightPanel.ByteCount(shape.BlockCount, TDot.ChunkCount);
        using GuardedMemory compiledMemory = new(panelBytes);
        using GuardedMemory vnniMemory = new(panelBytes);
        WeightPanel compiledPanel = new(compiledMemory.Data, shape.BlockCount, TDot.ChunkCount);
        WeightPanel vnniPanel = new(vnniMemory.Data, shape.BlockCount, TDot.ChunkCount);
        Fill<TDot>(random, compiledPanel, shape.Weights, minWeight, maxWeight);
        Buffer.MemoryCopy(compiledMemory.Data, vnniMemory.Data, panelBytes, panelBytes);
        if (TDot.HasIntegerScales)
        {
            PutZeroPoints(random, compiledPanel, vnniPanel, shape.Weights);
        }

        using ActivationRow x0 = new(random, form, shape.BlockCount, shape.Inputs, maxInput);
        using ActivationRow x1 = new(random, form, shape.BlockCount, shape.Inputs, maxInput);
        using ActivationRow x2 = new(random, form, shape.BlockCount, shape.Inputs, maxInput);
        using ActivationRow x3 = new(random, form, shape.BlockCount, shape.Inputs, maxInput);
        const int SumCount = VnniKernels.RowGroup * WeightPanel.ScalesPerBlock;
        using GuardedMemory expected = new(SumCount * sizeof(float));
        using GuardedMemory actual = new(SumCount * sizeof(float));
        Span<float> sums = new(actual.Data, SumCount);
        sums.Fill(float.NaN);

        Wide.FourTiles<TDot>(compiledPanel, x0.Data, x1.Data, x2.Data, x3.Data, (float*)expected.Data);
        kernels.FourTiles<TDot>(vnniPanel, x0.Data, x1.Data, x2.Data, x3.Data, (float*)actual.Data);

        TensorAssert.Identical(sums, new ReadOnlySpan<float>(expected.Data, SumCount), $"{shape.BlockCount} blocks");
    }

    private static void Fill<TDot>(Random random, WeightPanel panel, Extreme extreme, int min, int max)
        where TDot : struct, IPanelDot
    {
        long codeBytes = (long)panel.BlockCount * WeightPanel.TileCount * panel.TileStride;
        for (long i = 0; i < (TDot.HasByteCodes ? codeBytes : codeBytes / sizeof(short)); i++)
        {
            int code = random.Next(extreme, min, max);
            if (TDot.HasByteCodes)
            {
                panel.Codes[i] = (byte)code;
            }
            else
            {
                ((short*)panel.Codes)[i] = (short)code;
            }
        }

        for (int i = 0; i < panel.BlockCount * WeightPanel.ScalesPerBlock; i++)
        {
            panel.Scales[i] = random.NextSingle() - 0.5f;
            panel.Offsets[i] = random.NextSingle() - 0.5f;
        }
    }

    // Compiled kernels read a scale as two 16-bit numbers and an offset; machine code reads an eighth of the scale, as a float,
    // and codes that have the zero point in them.
    private static void PutZeroPoints(Random random, WeightPanel compiled, WeightPanel vnni, Extreme extreme)
    {
        const int CodesPerRow = sizeof(int);
        for (int i = 0; i < compiled.BlockCount * WeightPanel.ScalesPerBlock; i++)
        {
            // in eighths; the largest with the smallest codes, so that the panel's codes are 1 and 248
            int zero = 127 - random.Next(extreme, 0, 127);
            int scale = random.Next(extreme, 0, byte.MaxValue);
            if (extreme == Extreme.Lowest)
            {
                // The largest sums of the smallest codes.
                scale = byte.MaxValue;
            }

            ((uint*)compiled.Scales)[i] = (uint)scale | ((uint)scale << 16);
            compiled.Offsets[i] = scale * zero / 8f;
            vnni.Scales[i] = scale / 8f;
            vnni.Offsets[i] = float.NaN;
            (int block, int row) = (i / WeightPanel.ScalesPerBlock, i % WeightPanel.ScalesPerBlock);
            byte* codes = vnni.TileCodes(block, row / PackedLayout.TileRows) + (row % PackedLayout.TileRows * CodesPerRow);
            for (int chunk = 0; chunk < ScaledByteDot.ChunkCount; chunk++, codes += WeightPanel.ChunkBytes)
            {
                for (int k = 0; k < CodesPerRow; k++)
                {
                    codes[k] = (byte)((8 * codes[k]) - zero + 128);
                }
            }
        }
    }

    private readonly record struct PanelCase(int BlockCount, Extreme Weights, Extreme Inputs);
}
