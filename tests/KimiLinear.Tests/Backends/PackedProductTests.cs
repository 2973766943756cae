using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>
/// Products of quantised activations with packed weights, in memory that is guarded on either side: near the exact sums, and to
/// the last bit the documented operations in their documented order, whatever path was taken and whatever the width.
/// </summary>
public sealed unsafe class PackedProductTests
{
    private const int BlockColumns = PackedLayout.BlockColumns;

    private const string FusedHash = "e870ba9b2acb55c648011d90597ea3c7f34e40b453e5f58a6402250441c0e970";

    private const string PlainHash = "7cdca59cd4ab9d7717ce523d03ae9293e3dd5bf741501133b0129b4716b6ffdf";

    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 33];

    private static readonly (DataType Type, QuantizedForm Form, int MaxCode)[] Forms =
    [
        (DataType.PackedQ4, QuantizedForm.Bytes, ActivationQuantizer.MaxByte),
        (DataType.PackedQ4, QuantizedForm.BytePairs, ActivationQuantizer.MaxShort),
        (DataType.PackedQ8, QuantizedForm.TileShorts, ActivationQuantizer.MaxByte),
        (DataType.PackedQ8, QuantizedForm.TileShorts, ActivationQuantizer.MaxShort),
        (DataType.PackedQ8, QuantizedForm.RowShorts, ActivationQuantizer.MaxRowShort),
    ];

    public static TheoryData<string, int> Cases =>
        new MatrixTheoryData<string, int>(Kernels.IntegerKernels.Select(row => row.Data), Enumerable.Range(0, Forms.Length));

    public static TheoryData<string> Widths => Kernels.IntegerKernels;

    [Theory]
    [MemberData(nameof(Cases))]
    public void MultiplyTiles_ShortRows_MatchPlainLoops(string width, int form)
    {
        Random random = new(form);
        for (int tileCount = 1; tileCount <= 9; tileCount++)
        {
            foreach (int tokenCount in TokenCounts)
            {
                int columns = BlockColumns * (1 + ((tileCount + tokenCount + form) % 3));
                CheckShape(width, random, form, tileCount, tokenCount, columns);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MultiplyTiles_LongRows_MatchPlainLoops(string width, int form)
    {
        Random random = new(form);
        foreach ((int tileCount, int tokenCount) in ((int, int)[])[(1, 1), (2, 5), (4, 8), (5, 13), (9, 7), (3, 33)])
        {
            CheckShape(width, random, form, tileCount, tokenCount, columns: 2304);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MultiplyTiles_OneTokenNotANumber_IsNoneInItsRowAlone(string width, int form)
    {
        const int TokenCount = 9;
        const int Columns = 96;
        (DataType type, QuantizedForm quantized, int maxCode) = Forms[form];
        using PackedMatrix matrix = new(new Random(3), type, tileCount: 5, Columns);
        foreach (float wrong in (float[])[float.NaN, float.PositiveInfinity])
        {
            for (int token = 0; token < TokenCount; token++)
            {
                float[] x = Kernels.Random(new Random(token), TokenCount * Columns);
                x[(token * Columns) + (token * 10)] = wrong;
                using QuantizedSample sample = new(x, Columns, quantized, maxCode);

                float[] y = Multiply(width, matrix, sample.Formed);

                for (int i = 0; i < y.Length; i++)
                {
                    Assert.Equal(i / matrix.RowCount == token, float.IsNaN(y[i]));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MultiplyTiles_TokenByTokenAndTileByTile_GivesTheSameBits(string width, int form)
    {
        const int Columns = 2304;
        (DataType type, QuantizedForm quantized, int maxCode) = Forms[form];
        using PackedMatrix matrix = new(new Random(4), type, tileCount: 6, Columns);
        using QuantizedSample sample = new(Kernels.Random(new Random(5), 19 * Columns), Columns, quantized, maxCode);
        float[] together = Multiply(width, matrix, sample.Formed);

        float[] tokenByToken = new float[together.Length];
        float[] tileByTile = new float[together.Length];
        using ScratchBuffer scratch = new();
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));
        fixed (float* token = tokenByToken)
        fixed (float* tile = tileByTile)
        {
            for (int t = 0; t < sample.Rows.Count; t++)
            {
                kernels.MultiplyTiles(
                    new FormedRows(sample.Rows.From(t, 1), quantized),
                    type,
                    matrix.Data,
                    matrix.TileCount,
                    scratch,
                    new MatMulOutput(token + (t * matrix.RowCount), matrix.RowCount));
            }

            for (int i = 0; i < matrix.TileCount; i++)
            {
                kernels.MultiplyTiles(
                    sample.Formed,
                    type,
                    matrix.Data + (i * PackedLayout.TileBytes(type, Columns)),
                    1,
                    scratch,
                    new MatMulOutput(tile + (i * PackedLayout.TileRows), matrix.RowCount));
            }
        }

        TensorAssert.Identical(tokenByToken, together, "token by token");
        TensorAssert.Identical(tileByTile, together, "tile by tile");
    }

    // The bits on every machine, by whether it multiplies and adds in one rounding.
    [Theory]
    [MemberData(nameof(Widths))]
    public void MultiplyTiles_KnownInput_GivesTheSameBitsOnEveryMachine(string width)
    {
        const int Columns = 224;
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((DataType type, QuantizedForm quantized, int maxCode) in Forms)
        {
            using PackedMatrix matrix = new(new Random(6), type, tileCount: 5, Columns);
            using QuantizedSample sample = new(Kernels.Random(new Random(7), 11 * Columns), Columns, quantized, maxCode);

            float[] y = Multiply(width, matrix, sample.Formed);

            hash.AppendData(MemoryMarshal.AsBytes<float>(y));
        }

        string actual = Convert.ToHexStringLower(hash.GetHashAndReset());
        Assert.True(actual == (IsFused(width) ? FusedHash : PlainHash), actual);
    }

    private static bool IsFused(string width) =>
        Enum.Parse<SimdWidth>(width) != SimdWidth.Scalar && (Fma.IsSupported || AdvSimd.IsSupported);

    private static float[] Multiply(string width, PackedMatrix matrix, FormedRows input)
    {
        using ScratchBuffer scratch = new();
        float[] y = new float[input.Rows.Count * matrix.RowCount];
        fixed (float* output = y)
        {
            CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width)).MultiplyTiles(
                input, matrix.Type, matrix.Data, matrix.TileCount, scratch, new MatMulOutput(output, matrix.RowCount));
        }

        return y;
    }

    private static void CheckShape(string width, Random random, int form, int tileCount, int tokenCount, int columns)
    {
        (DataType type, QuantizedForm quantized, int maxCode) = Forms[form];
        bool guardsStart = (tileCount + tokenCount) % 2 == 0;
        using PackedMatrix matrix = new(random, type, tileCount, columns, guardsStart);
        using QuantizedSample sample =
            new(Kernels.Random(random, tokenCount * columns), columns, quantized, maxCode, guardsStart);
        PackedProducts products = new(matrix, sample, IsFused(width));
        products.AssertNearExact();
        using PackedOutput plain = new(tokenCount, matrix.RowCount, guardsStart);
        using PackedOutput chosen = new(random, tokenCount, matrix.RowCount, guardsStart);
        int[] inputRows = [.. Enumerable.Range(0, tokenCount).Select(_ => random.Next(tokenCount))];
        using ScratchBuffer scratch = new();
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));

        kernels.MultiplyTiles(sample.Formed, type, matrix.Data, tileCount, scratch, plain.Output);
        fixed (int* indices = inputRows)
        {
            FormedRows selected = new(sample.Rows.Select(indices, tokenCount), quantized);
            kernels.MultiplyTiles(selected, type, matrix.Data, tileCount, scratch, chosen.Output);
        }

        string shape = $"{tileCount} tiles, {tokenCount} tokens, {columns} columns";
        plain.AssertHolds(products.Rows([.. Enumerable.Range(0, tokenCount)]), shape);
        chosen.AssertHolds(products.Rows(inputRows), $"{shape}, chosen rows");
    }
}
