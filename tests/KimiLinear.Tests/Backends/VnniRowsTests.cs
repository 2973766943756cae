using System.Runtime.Intrinsics;
using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;
using WideQ4 = KimiLinear.Backends.PackedQ4Kernel<
    KimiLinear.Backends.Simd512,
    System.Runtime.Intrinsics.Vector512<float>,
    KimiLinear.Backends.Integer512,
    System.Runtime.Intrinsics.Vector512<int>>;
using WideQ8 = KimiLinear.Backends.PackedQ8Kernel<
    KimiLinear.Backends.Simd512,
    System.Runtime.Intrinsics.Vector512<float>,
    KimiLinear.Backends.Integer512,
    System.Runtime.Intrinsics.Vector512<int>>;

namespace KimiLinear.Tests.Backends;

/// <summary>
/// Packed tiles multiplied by machine code with one row or four, against the compiled kernels, bit by bit, at the ends of what codes,
/// scales and zero points can be, in memory that ends where they do.
/// </summary>
public sealed unsafe class VnniRowsTests
{
    private const int RowCount = VnniKernels.RowGroup;
    private const int SumCount = RowCount * PackedLayout.TileRows;

    // None but the pair, none but the odd one, both, and as long as the rows of a model.
    private static readonly int[] BlockCounts = [1, 2, 3, 4, 5, 72, 73];

    private static readonly (DataType Type, QuantizedForm Form, int MaxCode)[] Forms =
    [
        (DataType.PackedQ4, QuantizedForm.Bytes, ActivationQuantizer.MaxByte),
        (DataType.PackedQ4, QuantizedForm.BytePairs, ActivationQuantizer.MaxShort),
        (DataType.PackedQ4, QuantizedForm.BytePairs, ActivationQuantizer.MaxByte),
        (DataType.PackedQ8, QuantizedForm.TileShorts, ActivationQuantizer.MaxByte),
        (DataType.PackedQ8, QuantizedForm.TileShorts, ActivationQuantizer.MaxShort),
        (DataType.PackedQ8, QuantizedForm.RowShorts, ActivationQuantizer.MaxRowShort),
    ];

    public static TheoryData<int, Extreme, Extreme> Cases => new MatrixTheoryData<int, Extreme, Extreme>(
        Enumerable.Range(0, Forms.Length), Enum.GetValues<Extreme>(), Enum.GetValues<Extreme>());

    [Theory]
    [MemberData(nameof(Cases))]
    public void OneRowAndFourRows_CodesOfAnyRange_GiveTheBitsOfTheCompiledKernels(int form, Extreme weights, Extreme inputs)
    {
        // There is nothing to compare without these instructions; nothing may claim otherwise.
        if (VnniKernels.Instance is not { } kernels)
        {
            Assert.NotEqual(SimdWidth.Bits512Vnni, CpuBackends.Widest);
            return;
        }

        foreach (int blockCount in BlockCounts)
        {
            using Sample sample = new(form, blockCount, weights, inputs);
            float[] expected = sample.Compiled();

            TensorAssert.Identical(sample.FourRows(kernels), expected, $"four rows, {blockCount} blocks");
            TensorAssert.Identical(sample.OneByOne(kernels), expected, $"row by row, {blockCount} blocks");
        }
    }

    [Fact]
    public void FourRows_ManyThreadsAtOnce_GiveTheSameBits()
    {
        // There is nothing to run without these instructions; nothing may claim otherwise.
        if (VnniKernels.Instance is not { } kernels)
        {
            Assert.NotEqual(SimdWidth.Bits512Vnni, CpuBackends.Widest);
            return;
        }

        // Each thread has input of its own, so that whatever one leaves behind would be wrong for all others.
        const int ThreadCount = 8;
        const int CallCount = 500;
        Sample[] samples = [.. Enumerable.Range(0, ThreadCount)
            .Select(i => new Sample(i % Forms.Length, blockCount: 5 + i, Extreme.None, Extreme.None))];
        float[][] expected = [.. samples.Select(sample => sample.Compiled())];
        int[] failures = new int[ThreadCount];
        using Barrier start = new(ThreadCount);
        Thread[] threads = [.. Enumerable.Range(0, ThreadCount).Select(i => new Thread(() =>
        {
            start.SignalAndWait();
            for (int call = 0; call < CallCount; call++)
            {
                float[] actual = call % 2 == 0 ? samples[i].FourRows(kernels) : samples[i].OneByOne(kernels);
                failures[i] += actual.AsSpan().SequenceEqual(expected[i]) ? 0 : 1;
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        foreach (Sample sample in samples)
        {
            sample.Dispose();
        }

        Assert.Equal(new int[ThreadCount], failures);
    }

    // A tile and four rows, multiplied in any way.
    private sealed class Sample : IDisposable
    {
        private readonly DataType _type;
        private readonly QuantizedForm _form;
        private readonly int _blockCount;
        private readonly GuardedMemory _tile;
        private readonly GuardedMemory _one = new(PackedLayout.TileRows * sizeof(float));
        private readonly GuardedMemory _four = new(SumCount * sizeof(float));
        private readonly ActivationRow[] _rows;

        public Sample(int form, int blockCount, Extreme weights, Extreme inputs)
        {
            (_type, _form, int maxCode) = Forms[form];
            _blockCount = blockCount;
            Random random = new(blockCount);
            _tile = new GuardedMemory(PackedLayout.TileBytes(_type, (long)blockCount * PackedLayout.BlockColumns));
            FillTile(random, weights);
            _rows = [.. Enumerable.Range(0, RowCount)
                .Select(_ => new ActivationRow(random, _form, blockCount, inputs, maxCode))];
        }

        public float[] FourRows(VnniKernels kernels)
        {
            float* output = Poisoned(_four, SumCount);
            kernels.FourRows(
                _type, _form, _tile.Data, _rows[0].Data, _rows[1].Data, _rows[2].Data, _rows[3].Data, _blockCount, output);
            return new ReadOnlySpan<float>(output, SumCount).ToArray();
        }

        public float[] OneByOne(VnniKernels kernels)
        {
            float[] sums = new float[SumCount];
            for (int row = 0; row < RowCount; row++)
            {
                float* output = Poisoned(_one, PackedLayout.TileRows);
                kernels.OneRow(_type, _form, _tile.Data, tileCount: 1, _rows[row].Data, _blockCount, output);
                new ReadOnlySpan<float>(output, PackedLayout.TileRows).CopyTo(sums.AsSpan(row * PackedLayout.TileRows));
            }

            return sums;
        }

        /// <summary>Of the compiled kernels, for one row and for four, which must agree.</summary>
        public float[] Compiled()
        {
            const int Stride = PackedLayout.TileRows;
            float[] four = new float[SumCount];
            float[] one = new float[SumCount];
            fixed (float* output = four)
            {
                byte* tile = _tile.Data;
                byte* x0 = _rows[0].Data, x1 = _rows[1].Data, x2 = _rows[2].Data, x3 = _rows[3].Data;
                switch (_form)
                {
                    case QuantizedForm.Bytes:
                        WideQ4.Four<OnePlane>(tile, 0, x0, x1, x2, x3, _blockCount, output, Stride);
                        break;
                    case QuantizedForm.BytePairs:
                        WideQ4.Four<TwoPlanes>(tile, 0, x0, x1, x2, x3, _blockCount, output, Stride);
                        break;
                    default:
                        WideQ8.Four(tile, 0, x0, x1, x2, x3, _blockCount, output, Stride);
                        break;
                }
            }

            for (int row = 0; row < RowCount; row++)
            {
                CompiledRow(_rows[row].Data).CopyTo(one, row * Stride);
            }

            TensorAssert.Identical(one, four, "the compiled kernels");
            return four;
        }

        public void Dispose()
        {
            foreach (ActivationRow row in _rows)
            {
                row.Dispose();
            }

            _tile.Dispose();
            _one.Dispose();
            _four.Dispose();
        }

        // What is not written shows.
        private static float* Poisoned(GuardedMemory memory, int count)
        {
            new Span<float>(memory.Data, count).Fill(float.NaN);
            return (float*)memory.Data;
        }

        private Vector512<float> CompiledRow(byte* x) => _form switch
        {
            QuantizedForm.Bytes => WideQ4.One<OnePlane>(_tile.Data, 0, x, _blockCount),
            QuantizedForm.BytePairs => WideQ4.One<TwoPlanes>(_tile.Data, 0, x, _blockCount),
            _ => WideQ8.One(_tile.Data, 0, x, _blockCount),
        };

        private void FillTile(Random random, Extreme extreme)
        {
            bool isQ4 = _type == DataType.PackedQ4;
            for (int i = 0; isQ4 && i < PackedLayout.TileRows; i++)
            {
                ((float*)_tile.Data)[i] = random.NextSingle() - 0.5f;
            }

            for (int block = 0; block < _blockCount; block++)
            {
                byte* header = _tile.Data + PackedLayout.HeaderOffset(_type, block)
                    + (block % 2 * (PackedLayout.HeaderBytes / 2));
                for (int i = 0; i < PackedLayout.HeaderBytes / 2; i++)
                {
                    int value = random.Next(extreme, 0, byte.MaxValue);
                    bool isZeroPoint = isQ4 && i >= PackedLayout.TileRows;
                    header[i] = (byte)(isZeroPoint ? value / PackedLayout.ZeroMultiple * PackedLayout.ZeroMultiple : value);
                }

                for (int i = 0; !isQ4 && i < PackedLayout.TileRows; i++)
                {
                    ((ushort*)header)[i] = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16);
                }

                byte* codes = _tile.Data + PackedLayout.CodesOffset(_type, block);
                for (int i = 0; i < (isQ4 ? PackedLayout.Q4BlockBytes : PackedLayout.Q8BlockBytes); i++)
                {
                    codes[i] = isQ4
                        ? (byte)(random.Next(extreme, 0, 15) | (random.Next(extreme, 0, 15) << 4))
                        : (byte)(sbyte)random.Next(extreme, sbyte.MinValue, sbyte.MaxValue);
                }
            }
        }
    }
}
