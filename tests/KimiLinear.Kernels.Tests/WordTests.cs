using System.Runtime.InteropServices;
using KimiLinear.Backends;
using KimiLinear.Tests.Backends.Cuda;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>What the words of device.h for copies and matrix products do, lane by lane.</summary>
public sealed unsafe class WordTests
{
    private const int OrderCount = 4;
    private const int Lanes = 32;

    [Fact]
    public void RoundPair_ValuesOfEveryKind_AreTheNearestOfBFloat16()
    {
        float[] values = new Samples().Floats(2 * Lanes, 3e30f);
        float[] special = [1.00390625f, 1.01171875f, -0.0f, 1e-44f, 1e-40f, float.MaxValue, float.NegativeInfinity, float.NaN];
        special.CopyTo(values, 0);
        uint[] words = new uint[Lanes];

        Assert.Null(Run("words_round", 32, 0, 0, values, new float[1], words, new uint[1]));

        for (int i = 0; i < values.Length; i++)
        {
            uint expected = float.IsNaN(values[i]) ? 0x7FFFu : LatentLayer.Round(values[i]);

            Assert.Equal(expected, (words[i / 2] >> (i % 2 * 16)) & 0xFFFF);
        }

        Assert.Equal(0x3F823F80u, words[0]);
    }

    [Fact]
    public void MultiplyMatrices_EveryLane_HoldsThePartsThatTheInstructionSays()
    {
        // Small whole numbers, so that every order of additions gives the same.
        int[] left = Numbers(16 * 16, 1);
        int[] right = Numbers(16 * 8, 2); // [k, n]
        int[] before = Numbers(16 * 8, 3);
        uint[] leftWords = new uint[Lanes * 4];
        uint[] rightWords = new uint[Lanes * 2];
        float[] sums = new float[Lanes * 4];
        for (int lane = 0; lane < Lanes; lane++)
        {
            int g = lane / 4;
            int t = lane % 4;
            for (int i = 0; i < 4; i++)
            {
                int row = g + (i % 2 * 8);
                int k = (2 * t) + (i / 2 * 8);
                leftWords[(lane * 4) + i] = Pair(left[(row * 16) + k], left[(row * 16) + k + 1]);
                sums[(lane * 4) + i] = before[((g + (i / 2 * 8)) * 8) + (2 * t) + (i % 2)];
            }

            for (int i = 0; i < 2; i++)
            {
                int k = (2 * t) + (i * 8);
                rightWords[(lane * 2) + i] = Pair(right[(k * 8) + g], right[((k + 1) * 8) + g]);
            }
        }

        float[] start = [.. sums];
        for (int order = 0; order < OrderCount; order++)
        {
            start.CopyTo(sums, 0);
            Assert.Null(Run("words_multiply", 32, 0, order, leftWords, rightWords, sums, new float[1]));

            for (int lane = 0; lane < Lanes; lane++)
            {
                for (int i = 0; i < 4; i++)
                {
                    int m = (lane / 4) + (i / 2 * 8);
                    int n = (lane % 4 * 2) + (i % 2);
                    int expected = before[(m * 8) + n]
                        + Enumerable.Range(0, 16).Sum(k => left[(m * 16) + k] * right[(k * 8) + n]);

                    Assert.Equal(expected, sums[(lane * 4) + i]);
                }
            }
        }
    }

    [Fact]
    public void LoadMatrices_EveryLane_GetsItsWordOrItsColumn()
    {
        ushort[] rows = [.. Enumerable.Range(0, 2 * Lanes * 8).Select(i => (ushort)i)];
        uint[] plain = new uint[2 * Lanes * 4];
        uint[] turned = new uint[2 * Lanes * 4];
        for (int order = 0; order < OrderCount; order++)
        {
            Assert.Null(Run("words_load", 64, 1024, order, rows, rows, plain, turned));

            for (int i = 0; i < plain.Length; i++)
            {
                int warp = i / 4 / Lanes;
                int lane = i / 4 % Lanes;
                int matrix = i % 4;
                uint Value(int row, int column) => rows[(((((warp * 4) + matrix) * 8) + row) * 8) + column];
                int major = lane / 4;
                int minor = lane % 4 * 2;

                Assert.Equal(Value(major, minor) | (Value(major, minor + 1) << 16), plain[i]);
                Assert.Equal(Value(minor, major) | (Value(minor + 1, major) << 16), turned[i]);
            }
        }
    }

    [Fact]
    public void LoadMatrices_RowsInTheSameBanks_AreCounted()
    {
        uint[] words = new uint[2 * Lanes * 4];
        ushort[] rows = new ushort[2 * Lanes * 8];

        Assert.Null(Run("words_load", 64, 1024, 0, rows, rows, words, words, out long scattered));
        Assert.Null(Run("words_chain", 32, 1024, 0, rows, rows, new float[256], new float[256], out long halfRows));

        // Rows of 32 bytes as they come: of the eight of a matrix, four lie in the banks of the other four, in 3 · 4 matrices.
        Assert.Equal(0, scattered);
        Assert.Equal(3 * 4 * 4, halfRows);
    }

    [Fact]
    public void CopyLoadMultiply_InARow_ComputeBothProducts()
    {
        int[] first = Numbers(256, 4);
        int[] second = Numbers(256, 5);
        float[] plain = new float[256];
        float[] turned = new float[256];
        for (int order = 0; order < OrderCount; order++)
        {
            Assert.Null(Run("words_chain", 32, 1024, order, Halves(first), Halves(second), plain, turned));

            for (int m = 0; m < 16; m++)
            {
                for (int n = 0; n < 16; n++)
                {
                    int Sum(Func<int, int> right) => Enumerable.Range(0, 16).Sum(k => first[(m * 16) + k] * second[right(k)]);

                    Assert.Equal(Sum(k => (n * 16) + k), plain[(m * 16) + n]);
                    Assert.Equal(Sum(k => (k * 16) + n), turned[(m * 16) + n]);
                }
            }
        }
    }

    [Fact]
    public void CopyAsync_EveryLength_LandsWhenItsGroupIsWaitedForWithZerosBehind()
    {
        const int Sizes = 17;
        byte[] source = [.. Enumerable.Range(0, 3 * Sizes * 16).Select(i => (byte)(2 + (i % 250)))];
        byte[] output = new byte[4 * Sizes * 32];
        Assert.Null(Run("words_copy", 32, Sizes * 32, 0, source, source, output, new byte[1]));

        byte[] gone = [.. Enumerable.Repeat((byte)0xFF, 16)];
        for (int size = 0; size < Sizes; size++)
        {
            byte[] Landed(int group) =>
                [.. source.AsSpan(((group * Sizes) + size) * 16, size), .. new byte[16 - size]];
            byte[] At(int time, int half) => [.. output.AsSpan(((((time * Sizes) + size) * 2) + half) * 16, 16)];

            Assert.Equal(gone, At(0, 0));
            Assert.Equal(gone, At(0, 1));
            Assert.Equal(Landed(0), At(1, 0));
            Assert.Equal(gone, At(1, 1));
            Assert.Equal(Landed(0), At(2, 0));
            Assert.Equal(Landed(1), At(2, 1));
            Assert.Equal(gone, At(3, 0));
        }
    }

    [Theory]
    [InlineData("fault_copy_lost", "nobody waited")]
    [InlineData("fault_copy_unaligned", "no multiple of 16")]
    [InlineData("fault_copy_outside", "not where it must")]
    [InlineData("fault_matrix_unaligned", "no multiple of 16")]
    public void Run_WordsMisused_SaysHow(string entry, string expected)
    {
        string? fault = Run(entry, 32, 1024, 0, new float[32], new float[1], new float[32], new float[1]);

        Assert.Contains(expected, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_CopiesOfOthersReadWithoutABarrier_DependOnTheOrder()
    {
        float[] source = new float[256];
        float[] ascending = new float[64];
        float[] descending = new float[64];

        Assert.Null(Run("fault_copy_race", 64, 1024, 0, source, source, ascending, new float[1]));
        Assert.Null(Run("fault_copy_race", 64, 1024, 1, source, source, descending, new float[1]));

        Assert.Contains(float.NaN, ascending);
        Assert.NotEqual(ascending, descending);
    }

    private static int[] Numbers(int count, int seed) => [.. new Samples(seed).Integers(count, 41).Select(value => value - 20)];

    private static ushort Half(int value) => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

    private static ushort[] Halves(int[] values) => [.. values.Select(Half)];

    private static uint Pair(int low, int high) => Half(low) | ((uint)Half(high) << 16);

    private static string? Run<TInput, TOutput>(
        string entry, int threads, int sharedBytes, int order, TInput[] first, TInput[] second, TOutput[] output, TOutput[] other)
        where TInput : unmanaged
        where TOutput : unmanaged => Run(entry, threads, sharedBytes, order, first, second, output, other, out _);

    private static string? Run<TInput, TOutput>(
        string entry,
        int threads,
        int sharedBytes,
        int order,
        TInput[] first,
        TInput[] second,
        TOutput[] output,
        TOutput[] other,
        out long bankConflicts)
        where TInput : unmanaged
        where TOutput : unmanaged
    {
        nuint firstBytes = (nuint)(first.Length * sizeof(TInput));
        nuint secondBytes = (nuint)(second.Length * sizeof(TInput));
        byte* memory = (byte*)NativeMemory.AlignedAlloc(firstBytes + secondBytes + 16, 16);
        byte* behind = memory + ((firstBytes + 15) / 16 * 16);
        MemoryMarshal.AsBytes<TInput>(first).CopyTo(new Span<byte>(memory, (int)firstBytes));
        MemoryMarshal.AsBytes<TInput>(second).CopyTo(new Span<byte>(behind, (int)secondBytes));
        try
        {
            fixed (TOutput* outputs = output)
            fixed (TOutput* others = other)
            {
                nint[] addresses = [(nint)memory, (nint)behind, (nint)outputs, (nint)others];
                byte[] arguments = MemoryMarshal.AsBytes<nint>(addresses).ToArray();
                FakeLaunch launch = new(entry, new LaunchShape(1, 1, 1, threads, sharedBytes), arguments);
                return Emulator.Run(launch, order, out bankConflicts);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }
}
