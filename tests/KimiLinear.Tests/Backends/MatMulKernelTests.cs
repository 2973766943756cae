using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Products of every small shape against plain loops, with weights that end where memory ends.</summary>
public sealed unsafe class MatMulKernelTests
{
    private static readonly int[] RowCounts = [1, 2, 3, 4, 5, 16, 17, 37];
    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 67];

    public static TheoryData<string> Widths => Kernels.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Multiply_AnyShape_MatchesPlainLoopsAndItsOwnSingleProducts(string width) =>
        Kernels.Run(width, new ShapesCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Multiply_ManyShortRows_MatchesPlainLoopsAndItsOwnSingleProducts(string width) =>
        Kernels.Run(width, new ShortRowsCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Multiply_RowsChosenScaledAndAdded_GivesTheSameBitsForOneAndForMany(string width) =>
        Kernels.Run(width, new ChosenRowsCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void AccumulateRows_AnyShape_MatchesPlainLoops(string width) => Kernels.Run(width, new TransposedCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void AccumulateRows_OneRowOfX_GivesTheBitsOfTheFirstOfTwo(string width) =>
        Kernels.Run(width, new OneRowTransposedCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void LoadFloat16_EveryValue_IsExact(string width) => Kernels.Run(width, new Float16Check());

    /// <summary>A matrix of two parts stored in different types.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly GuardedMemory _first;
        private readonly GuardedMemory _second;

        public Fixture(Random random, int rowCount, int columnCount, DataType firstType, DataType secondType)
        {
            int firstRows = rowCount / 2;
            Values = new float[rowCount * columnCount];
            (_first, StoredTensor first) = Store(random, firstType, firstRows, columnCount, Values);
            (_second, StoredTensor second) =
                Store(random, secondType, rowCount - firstRows, columnCount, Values.AsSpan(firstRows * columnCount));
            Matrix = firstRows == 0 ? new HostMatrix(this, second) : new HostMatrix(this, first, second);
        }

        public HostMatrix Matrix { get; }

        public float[] Values { get; }

        public void Dispose()
        {
            _first.Dispose();
            _second.Dispose();
        }

        private static (GuardedMemory Memory, StoredTensor Tensor) Store(
            Random random, DataType type, int rowCount, int columnCount, Span<float> values)
        {
            GuardedMemory memory = new((long)rowCount * columnCount * type.SizeInBytes());
            for (int i = 0; i < rowCount * columnCount; i++)
            {
                float value = (random.NextSingle() * 2) - 1;
                switch (type)
                {
                    case DataType.Float32:
                        ((float*)memory.Data)[i] = value;
                        break;
                    case DataType.Float16:
                        ((Half*)memory.Data)[i] = (Half)value;
                        break;
                    default:
                        ((ushort*)memory.Data)[i] = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
                        break;
                }

                values[i] = StoredValues.Read(memory.Data, type, i);
            }

            return (memory, new StoredTensor("w", type, new Shape(rowCount, columnCount), memory.Data, ""));
        }
    }

    private sealed class ShapesCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(1);
            using ScratchBuffer scratch = new();
            DataType[] types = [DataType.BFloat16, DataType.Float16, DataType.Float32];
            for (int columns = 1; columns <= 70; columns++)
            {
                foreach (int rows in RowCounts)
                {
                    DataType type = types[(columns + rows) % 3];
                    using Fixture fixture = new(random, rows, columns, types[rows % 3], type);
                    int tokens = TokenCounts[(columns + rows) % TokenCounts.Length];
                    CheckShape<TSimd, TVector>(random, fixture, tokens, scratch);
                }
            }
        }

        public static void CheckShape<TSimd, TVector>(Random random, Fixture fixture, int tokens, ScratchBuffer scratch)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            (int rows, int columns) = (fixture.Matrix.RowCount, fixture.Matrix.ColumnCount);
            float[] x = Kernels.Random(random, tokens * columns);
            float[] y = new float[tokens * (rows + 1)];
            y.AsSpan().Fill(float.NegativeZero);
            fixed (float* input = x)
            fixed (float* output = y)
            {
                MatMulKernel<TSimd, TVector>.Multiply(
                    new MatMulInput(input, columns, tokens),
                    fixture.Matrix,
                    0,
                    rows,
                    scratch,
                    new MatMulOutput(output, rows + 1));
                for (int t = 0; t < tokens; t++)
                {
                    for (int row = 0; row < rows; row++)
                    {
                        float actual = y[(t * (rows + 1)) + row];
                        float single;
                        MatMulKernel<TSimd, TVector>.Multiply(
                            new MatMulInput(input + (t * columns), columns, 1),
                            fixture.Matrix,
                            row,
                            1,
                            scratch,
                            new MatMulOutput(&single, 1));
                        double expected = 0;
                        for (int i = 0; i < columns; i++)
                        {
                            expected += (double)x[(t * columns) + i] * fixture.Values[(row * columns) + i];
                        }

                        Assert.Equal(single, actual);
                        Assert.InRange(actual, expected - 2e-5, expected + 2e-5);
                    }

                    // The column behind the product is not touched.
                    Assert.True(float.IsNegative(y[(t * (rows + 1)) + rows]));
                }
            }
        }
    }

    /// <summary>Weights of few columns, which many rows of x meet interleaved.</summary>
    private sealed class ShortRowsCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(3);
            using ScratchBuffer scratch = new();
            foreach (int columns in (int[])[16, 32, 48, 64, 96, 128, 224, 256, 288])
            {
                foreach (int rows in (int[])[16, 31, 32, 33, 64, 100])
                {
                    foreach (int tokens in (int[])[7, 8, 9, 10, 11, 13, 66])
                    {
                        using Fixture fixture = new(random, rows, columns, DataType.BFloat16, DataType.BFloat16);
                        ShapesCheck.CheckShape<TSimd, TVector>(random, fixture, tokens, scratch);
                    }
                }
            }
        }
    }

    /// <summary>As experts are multiplied with the rows that visit them.</summary>
    private sealed class ChosenRowsCheck : IKernelCheck
    {
        private const int Rows = 64;
        private const int Columns = 64;
        private const int Tokens = 20;
        private const int Visits = 11;

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(4);
            using ScratchBuffer scratch = new();
            using Fixture fixture = new(random, 2 * Rows, Columns, DataType.BFloat16, DataType.BFloat16);
            float[] x = Kernels.Random(random, Tokens * Columns);
            float[] before = Kernels.Random(random, Tokens * Rows);
            float[] scales = Kernels.Random(random, Visits);
            float[] together = [.. before];
            float[] singly = [.. before];
            int[] visits = [19, 0, 3, 7, 1, 12, 8, 17, 5, 2, 10];
            fixed (float* input = x)
            fixed (float* factors = scales)
            fixed (int* indices = visits)
            fixed (float* all = together)
            fixed (float* one = singly)
            {
                Multiply<TSimd, TVector>(fixture, input, indices, Visits, factors, all, scratch);
                for (int i = 0; i < Visits; i++)
                {
                    Multiply<TSimd, TVector>(fixture, input, indices + i, 1, factors + i, one, scratch);
                }
            }

            Assert.Equal(singly, together);
            for (int i = 0; i < Visits; i++)
            {
                for (int row = 0; row < Rows; row++)
                {
                    double expected = 0;
                    for (int column = 0; column < Columns; column++)
                    {
                        expected += (double)x[(visits[i] * Columns) + column] * fixture.Values[((Rows + row) * Columns) + column];
                    }

                    expected = before[(visits[i] * Rows) + row] + (scales[i] * expected);
                    Assert.InRange(together[(visits[i] * Rows) + row], expected - 2e-5, expected + 2e-5);
                }
            }
        }

        private static void Multiply<TSimd, TVector>(
            Fixture fixture, float* x, int* visits, int count, float* scales, float* output, ScratchBuffer scratch)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct => MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(x, Columns, count, visits),
                fixture.Matrix,
                Rows,
                Rows,
                scratch,
                new MatMulOutput(output, Rows, add: true, visits, scales));
    }

    private sealed class TransposedCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(2);
            using ScratchBuffer scratch = new();
            for (int columns = 1; columns <= 70; columns++)
            {
                int rows = 1 + (columns % 37);
                int tokens = 1 + (columns % 9);
                using Fixture fixture = new(random, rows, columns, DataType.BFloat16, DataType.Float16);
                float[] x = Kernels.Random(random, tokens * rows);
                float[] y = Kernels.Random(random, tokens * columns);
                float[] before = [.. y];
                fixed (float* input = x)
                fixed (float* output = y)
                {
                    MatMulKernel<TSimd, TVector>.AccumulateRows(
                        new MatMulInput(input, rows, tokens), fixture.Matrix, 0, rows, scratch, output, columns);
                }

                for (int i = 0; i < y.Length; i++)
                {
                    (int token, int column) = (i / columns, i % columns);
                    double expected = before[i];
                    for (int row = 0; row < rows; row++)
                    {
                        expected += (double)x[(token * rows) + row] * fixture.Values[(row * columns) + column];
                    }

                    Assert.InRange(y[i], expected - 2e-5, expected + 2e-5);
                }
            }
        }
    }

    private sealed class OneRowTransposedCheck : IKernelCheck
    {
        private const int MaxRows = 24;

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(4);
            using ScratchBuffer scratch = new();
            for (int columns = TSimd.Width; columns <= 6 * TSimd.Width; columns += TSimd.Width)
            {
                using Fixture fixture = new(random, 2 * MaxRows, columns, DataType.BFloat16, DataType.BFloat16);
                for (int rows = 1; rows <= MaxRows + 4; rows++)
                {
                    float[] x = Kernels.Random(random, 2 * rows);
                    float[] both = Kernels.Random(random, 2 * columns);
                    float[] alone = both[..columns];
                    fixed (float* input = x)
                    fixed (float* two = both)
                    fixed (float* one = alone)
                    {
                        // More rows than the second part has begin in the first.
                        int first = (2 * MaxRows) - rows;
                        MatMulKernel<TSimd, TVector>.AccumulateRows(
                            new MatMulInput(input, rows, 2), fixture.Matrix, first, rows, scratch, two, columns);
                        MatMulKernel<TSimd, TVector>.AccumulateRows(
                            new MatMulInput(input, rows, 1), fixture.Matrix, first, rows, scratch, one, columns, skippedRows: 9);
                    }

                    Assert.Equal(both[..columns], alone);
                }
            }
        }
    }

    private sealed class Float16Check : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* loaded = stackalloc float[TSimd.Width];
            ushort* stored = stackalloc ushort[TSimd.Width];
            for (int first = 0; first <= ushort.MaxValue; first += TSimd.Width)
            {
                for (int i = 0; i < TSimd.Width; i++)
                {
                    stored[i] = (ushort)(first + i);
                }

                TSimd.Store(loaded, TSimd.LoadFloat16(stored));
                for (int i = 0; i < TSimd.Width; i++)
                {
                    float expected = (float)BitConverter.UInt16BitsToHalf(stored[i]);
                    bool same = float.IsNaN(expected)
                        ? float.IsNaN(loaded[i])
                        : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(loaded[i]);
                    Assert.True(same, $"{stored[i]:X4} is read as {loaded[i]:R}, not {expected:R}.");
                }
            }
        }
    }
}
