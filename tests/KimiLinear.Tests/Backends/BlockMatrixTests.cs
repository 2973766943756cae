using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Matrices in GGUF's block formats give what the same numbers in float32 give, to the last bit.</summary>
public sealed unsafe class BlockMatrixTests
{
    private const int ColumnCount = 512;
    private const int RowCount = 37;
    private const int FirstPartRows = 18;

    public static TheoryData<DataType> Types => new(GgufValue.Types);

    public static TheoryData<DataType, string> TypesAndWidths =>
        new MatrixTheoryData<DataType, string>(GgufValue.Types, Kernels.Widths.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(Types))]
    public void ReadRow_RowsOfTwoParts_AreDecoded(DataType type)
    {
        using Fixture fixture = new(type);
        float[] row = new float[ColumnCount];

        for (int i = 0; i < RowCount; i++)
        {
            fixed (float* destination = row)
            {
                fixture.Blocks.ReadRow(i, destination);
            }

            Assert.Equal(fixture.Values.AsSpan(i * ColumnCount, ColumnCount).ToArray(), row);
        }
    }

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void Multiply_AnyTokenCount_EqualsTheProductOfTheDecodedValues(DataType type, string width)
    {
        using Fixture fixture = new(type);

        Kernels.Run(width, new MultiplyCheck(fixture));
    }

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void AccumulateRows_SomeRows_EqualsTheSumOfTheDecodedValues(DataType type, string width)
    {
        using Fixture fixture = new(type);

        Kernels.Run(width, new AccumulateCheck(fixture));
    }

    /// <summary>A matrix of two parts in blocks, and the same in float32.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly GgufRows _first;
        private readonly GgufRows _second;
        private readonly GuardedMemory _decoded;

        public Fixture(DataType type)
        {
            _first = new GgufRows(type, FirstPartRows, ColumnCount, seed: 1);
            _second = new GgufRows(type, RowCount - FirstPartRows, ColumnCount, seed: 2);
            _decoded = new GuardedMemory(RowCount * ColumnCount * sizeof(float));
            Values = [.. _first.Values, .. _second.Values];
            Values.CopyTo(new Span<float>(_decoded.Data, RowCount * ColumnCount));
            Blocks = new HostMatrix(this, _first.ToTensor("a"), _second.ToTensor("b"));
            Decoded = new HostMatrix(
                this, new StoredTensor("c", DataType.Float32, new Shape(RowCount, ColumnCount), _decoded.Data, ""));
        }

        public HostMatrix Blocks { get; }

        public HostMatrix Decoded { get; }

        public float[] Values { get; }

        public void Dispose()
        {
            _first.Dispose();
            _second.Dispose();
            _decoded.Dispose();
        }
    }

    private sealed class MultiplyCheck(Fixture fixture) : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            using ScratchBuffer scratch = new();
            foreach (int tokens in new[] { 1, 2, 5, 9, 67 })
            {
                float[] x = Kernels.Random(new Random(tokens), tokens * ColumnCount);
                float[] expected = Multiply<TSimd, TVector>(fixture.Decoded, x, tokens, scratch);

                float[] actual = Multiply<TSimd, TVector>(fixture.Blocks, x, tokens, scratch);

                TensorAssert.Identical(actual, expected, $"{tokens} tokens");
            }
        }

        // From the second row on, to cross the border of the parts at an odd place.
        private static float[] Multiply<TSimd, TVector>(HostMatrix matrix, float[] x, int tokens, ScratchBuffer scratch)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float[] y = new float[tokens * (RowCount - 1)];
            fixed (float* input = x)
            fixed (float* output = y)
            {
                MatMulKernel<TSimd, TVector>.Multiply(
                    new MatMulInput(input, ColumnCount, tokens),
                    matrix,
                    1,
                    RowCount - 1,
                    scratch,
                    new MatMulOutput(output, RowCount - 1));
            }

            return y;
        }
    }

    private sealed class AccumulateCheck(Fixture fixture) : IKernelCheck
    {
        private const int TokenCount = 3;

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            using ScratchBuffer scratch = new();
            float[] x = Kernels.Random(new Random(1), TokenCount * RowCount);
            float[] expected = Accumulate<TSimd, TVector>(fixture.Decoded, x, scratch);

            float[] actual = Accumulate<TSimd, TVector>(fixture.Blocks, x, scratch);

            TensorAssert.Identical(actual, expected, "sums");
        }

        private static float[] Accumulate<TSimd, TVector>(HostMatrix matrix, float[] x, ScratchBuffer scratch)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float[] y = new float[TokenCount * ColumnCount];
            fixed (float* input = x)
            fixed (float* output = y)
            {
                MatMulKernel<TSimd, TVector>.AccumulateRows(
                    new MatMulInput(input, RowCount, TokenCount), matrix, 0, RowCount, scratch, output, ColumnCount);
            }

            return y;
        }
    }
}
