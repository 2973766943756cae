using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Weights unpacked to a panel that ends, or begins, where memory does.</summary>
public sealed unsafe class PackedPanelTests
{
    private const int BlockColumns = PackedLayout.BlockColumns;

    // One block, an odd number of them, and an even one.
    private static readonly int[] ColumnCounts = [32, 96, 128];

    public static TheoryData<string> Widths => Kernels.IntegerWidths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void UnpackQ4_AnyTile_HoldsItsCodesScalesAndOffsets(string width) => Kernels.Run(width, new Q4Check());

    [Theory]
    [MemberData(nameof(Widths))]
    public void UnpackQ8_AnyTile_HoldsItsCodesAndScales(string width) => Kernels.Run(width, new Q8Check());

    // Vectors of 512 bits are emulated where there are none.
    [Fact]
    public void UnpackQ4_ForMachineCode_TakesZeroPointsIntoTheCodes()
    {
        foreach (int columns in ColumnCounts)
        {
            using Fixture fixture = new(DataType.PackedQ4, columns, guardsStart: columns == 96);
            PackedMatrix matrix = fixture.Matrix;

            fixture.UnpackForMachineCode();

            for (int i = 0; i < matrix.Codes.Length; i++)
            {
                (int row, int column) = (i / columns, i % columns);
                (int block, int k) = (column / BlockColumns, column % BlockColumns);
                int code = fixture.Chunk(row, block, k / 4)[k % 4];
                float scale = fixture.Panel.Scales[Fixture.Place(row, block)];
                Assert.Equal((8 * matrix.Codes[i]) - (matrix.Zero(row, block) / 2) + 128, code);
                Assert.Equal(matrix.Scale(row, block) / 8, scale);
                float value = fixture.Panel.RowScales[row] * scale * (code - 128);
                Assert.Equal(matrix.Values[i], value, Math.Abs(value) * 1e-6f);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void PanelProducts_FourRows_AreTheProductsOfEachTile(string width) => Kernels.Run(width, new ProductsCheck());

    /// <summary>A panel of four tiles in memory of just its size.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly GuardedMemory _memory;

        public Fixture(DataType type, int columns, bool guardsStart)
        {
            int chunks = type == DataType.PackedQ4 ? ByteDot.ChunkCount : ShortDot.ChunkCount;
            int blocks = columns / BlockColumns;
            Matrix = new PackedMatrix(new Random(columns), type, WeightPanel.TileCount, columns, guardsStart);
            _memory = new GuardedMemory(WeightPanel.ByteCount(blocks, chunks), guardsStart);
            Panel = new WeightPanel(_memory.Data, blocks, chunks);
        }

        public PackedMatrix Matrix { get; }

        public WeightPanel Panel { get; }

        public void Unpack<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            for (int tile = 0; tile < WeightPanel.TileCount; tile++)
            {
                byte* source = Matrix.Data + (tile * PackedLayout.TileBytes(Matrix.Type, Matrix.Columns));
                if (Matrix.Type == DataType.PackedQ4)
                {
                    PackedPanel<TSimd, TVector, TIntegers, TInteger>.UnpackQ4(source, Panel, tile);
                }
                else
                {
                    PackedPanel<TSimd, TVector, TIntegers, TInteger>.UnpackQ8(source, Panel, tile);
                }
            }
        }

        public void UnpackForMachineCode()
        {
            for (int tile = 0; tile < WeightPanel.TileCount; tile++)
            {
                VnniPanel.UnpackQ4(Matrix.Data + (tile * PackedLayout.TileBytes(Matrix.Type, Matrix.Columns)), Panel, tile);
            }
        }

        /// <summary>Where a row's scale or offset of a block lies in the panel.</summary>
        public static int Place(int row, int block) => (block * WeightPanel.ScalesPerBlock) + row;

        /// <summary>Where the four bytes of a row begin in a chunk.</summary>
        public byte* Chunk(int row, int block, int chunk) =>
            Panel.TileCodes(block, row / PackedLayout.TileRows)
            + (chunk * WeightPanel.ChunkBytes) + (row % PackedLayout.TileRows * sizeof(int));

        public void Dispose()
        {
            Matrix.Dispose();
            _memory.Dispose();
        }
    }

    private sealed class Q4Check : IIntegerKernelCheck
    {
        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            foreach (int columns in ColumnCounts)
            {
                using Fixture fixture = new(DataType.PackedQ4, columns, guardsStart: columns == 96);
                PackedMatrix matrix = fixture.Matrix;

                fixture.Unpack<TSimd, TVector, TIntegers, TInteger>();

                for (int i = 0; i < matrix.Codes.Length; i++)
                {
                    (int row, int column) = (i / columns, i % columns);
                    (int block, int k) = (column / BlockColumns, column % BlockColumns);
                    int place = Fixture.Place(row, block);
                    Assert.Equal(matrix.RowScale(row), fixture.Panel.RowScales[row]);
                    Assert.Equal(
                        (int)matrix.Scale(row, block) * 0x10001, BitConverter.SingleToInt32Bits(fixture.Panel.Scales[place]));
                    Assert.Equal(
                        matrix.Scale(row, block) * matrix.Zero(row, block) / PackedLayout.ZeroSteps, fixture.Panel.Offsets[place]);
                    Assert.Equal(matrix.Codes[i], fixture.Chunk(row, block, k / 4)[k % 4]);
                }
            }
        }
    }

    private sealed class Q8Check : IIntegerKernelCheck
    {
        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            foreach (int columns in ColumnCounts)
            {
                using Fixture fixture = new(DataType.PackedQ8, columns, guardsStart: columns == 96);
                PackedMatrix matrix = fixture.Matrix;

                fixture.Unpack<TSimd, TVector, TIntegers, TInteger>();

                for (int i = 0; i < matrix.Codes.Length; i++)
                {
                    (int row, int column) = (i / columns, i % columns);
                    (int block, int k) = (column / BlockColumns, column % BlockColumns);
                    // the even columns of every four in one chunk, the odd ones in the next
                    short* codes = (short*)fixture.Chunk(row, block, (2 * (k / 4)) + (k % 2));
                    Assert.Equal(1, fixture.Panel.RowScales[row]);
                    Assert.Equal(matrix.Scale(row, block), fixture.Panel.Scales[Fixture.Place(row, block)]);
                    Assert.Equal(matrix.Codes[i], codes[k % 4 / 2]);
                }
            }
        }
    }

    private sealed class ProductsCheck : IIntegerKernelCheck
    {
        private const int RowGroup = 4;
        private const int SumCount = WeightPanel.TileCount * RowGroup * PackedLayout.TileRows;

        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            foreach (int columns in ColumnCounts)
            {
                CheckType<TSimd, TVector, TIntegers, TInteger, ScaledByteDot>(DataType.PackedQ4, QuantizedForm.Bytes, columns);
                CheckType<TSimd, TVector, TIntegers, TInteger, ShortDot>(DataType.PackedQ8, QuantizedForm.TileShorts, columns);
                CheckType<TSimd, TVector, TIntegers, TInteger, RowShortDot>(DataType.PackedQ8, QuantizedForm.RowShorts, columns);
            }
        }

        private static void CheckType<TSimd, TVector, TIntegers, TInteger, TDot>(DataType type, QuantizedForm form, int columns)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
            where TDot : struct, IPanelDot
        {
            bool guardsStart = columns == 96;
            using Fixture fixture = new(type, columns, guardsStart);
            using QuantizedSample x = new(
                Kernels.Random(new Random(1), RowGroup * columns), columns, form, ActivationQuantizer.MaxByte, guardsStart);
            using GuardedMemory memory = new(SumCount * sizeof(float), guardsStart);
            float* sums = (float*)memory.Data;
            new Span<float>(sums, SumCount).Clear();
            fixture.Unpack<TSimd, TVector, TIntegers, TInteger>();

            Multiply<TSimd, TVector, TIntegers, TInteger, TDot>(fixture.Panel, x.Rows, sums);

            for (int i = 0; i < SumCount; i++)
            {
                int tile = i / (RowGroup * PackedLayout.TileRows);
                int token = i / PackedLayout.TileRows % RowGroup;
                int row = (tile * PackedLayout.TileRows) + (i % PackedLayout.TileRows);
                float product = sums[i] * fixture.Panel.RowScales[row];
                Assert.Equal(Single<TSimd, TVector, TIntegers, TInteger>(fixture.Matrix, x, token, row), product);
            }
        }

        private static void Multiply<TSimd, TVector, TIntegers, TInteger, TDot>(WeightPanel panel, QuantizedRows x, float* sums)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
            where TDot : struct, IPanelDot
        {
            if (TIntegers.Lanes == PackedLayout.TileRows)
            {
                PanelKernel<TSimd, TVector, TIntegers, TInteger>.FourTiles<TDot>(
                    panel, x.Codes(0), x.Codes(1), x.Codes(2), x.Codes(3), sums);
                return;
            }

            // The first block apart from the others, which add to its sums.
            MultiplyBlocks<TSimd, TVector, TIntegers, TInteger, TDot>(panel, 0, 1, x, sums);
            MultiplyBlocks<TSimd, TVector, TIntegers, TInteger, TDot>(panel, 1, panel.BlockCount - 1, x, sums);
        }

        private static void MultiplyBlocks<TSimd, TVector, TIntegers, TInteger, TDot>(
            WeightPanel panel, int firstBlock, int blockCount, QuantizedRows x, float* sums)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
            where TDot : struct, IPanelDot
        {
            const int LastTile = WeightPanel.TileCount - 1;
            const int TileSums = RowGroup * PackedLayout.TileRows;
            for (int lane = 0; lane < PackedLayout.TileRows; lane += 2 * TIntegers.Lanes)
            {
                for (int row = 0; row < RowGroup; row += 2)
                {
                    PanelKernel<TSimd, TVector, TIntegers, TInteger>.SixVectors<TDot>(
                        panel,
                        lane,
                        firstBlock,
                        blockCount,
                        x.Codes(row),
                        x.Codes(row + 1),
                        sums + (row * PackedLayout.TileRows) + lane);
                }

                PanelKernel<TSimd, TVector, TIntegers, TInteger>.TwoVectors<TDot>(
                    panel,
                    LastTile,
                    lane,
                    firstBlock,
                    blockCount,
                    x.Codes(0),
                    x.Codes(1),
                    x.Codes(2),
                    x.Codes(3),
                    sums + (LastTile * TileSums) + lane);
            }
        }

        // One product where the weights lie.
        private static float Single<TSimd, TVector, TIntegers, TInteger>(
            PackedMatrix matrix, QuantizedSample x, int token, int row)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            byte* tile = matrix.Data + (row / PackedLayout.TileRows * PackedLayout.TileBytes(matrix.Type, matrix.Columns));
            int lane = row % PackedLayout.TileRows / TIntegers.Lanes * TIntegers.Lanes;
            byte* codes = x.Rows.Codes(token);
            TVector products = matrix.Type == DataType.PackedQ4
                ? PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.One<OnePlane>(tile, lane, codes, x.Rows.BlockCount)
                : PackedQ8Kernel<TSimd, TVector, TIntegers, TInteger>.One(tile, lane, codes, x.Rows.BlockCount);
            float* stored = stackalloc float[TSimd.Width];
            TSimd.Store(stored, products);
            return stored[(row % PackedLayout.TileRows) - lane];
        }
    }
}
