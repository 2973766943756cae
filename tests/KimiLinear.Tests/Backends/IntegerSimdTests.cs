using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>The integer operations of every width against plain loops, extreme values among the random ones.</summary>
public sealed unsafe class IntegerSimdTests
{
    // The widest vector.
    private const int MaxBytes = 64;

    // Steps of AddBytes that a running sum must hold: one block of 32 values, four at a time.
    private const int StepsPerBlock = 8;

    public static TheoryData<string> Widths => Kernels.IntegerWidths;

    // What a process is started with to compute as one without these instructions would.
    [Fact]
    public void Gfni_SwitchedOff_IsOff() =>
        Assert.False(Gfni.IsSupported && Environment.GetEnvironmentVariable("DOTNET_EnableGFNI") == "0");

    [Theory]
    [MemberData(nameof(Widths))]
    public void Lanes_Any_AreThoseOfTheFloats(string width) => Kernels.Run(width, new LanesCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void BytewiseOperations_AnyBytes_MatchPlainLoops(string width) => Kernels.Run(width, new BytesCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Conversions_AnyNumbers_MatchPlainLoops(string width) => Kernels.Run(width, new NumbersCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void AddBytes_OneBlock_MatchesPlainLoops(string width) => Kernels.Run(width, new AddBytesCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void AddShorts_OneBlock_MatchesPlainLoops(string width) => Kernels.Run(width, new AddShortsCheck());

    // All of one value, or a mixture in which the extremes are frequent.
    private static Gen<byte[]> Bytes(int count, params byte[] extremes)
    {
        Gen<byte> any = Gen.Choose(byte.MinValue, byte.MaxValue).Select(value => (byte)value);
        return Gen.OneOf(
            Gen.Elements(extremes).Select(value => Enumerable.Repeat(value, count).ToArray()),
            Gen.OneOf(Gen.Elements(extremes), any).ArrayOf(count));
    }

    private static Gen<byte[]> Codes(int count) => Gen.OneOf(
        Gen.Elements<byte>(0, 15).Select(value => Enumerable.Repeat(value, count).ToArray()),
        Gen.Choose(0, 15).Select(value => (byte)value).ArrayOf(count));

    private static Gen<byte[]> Shorts(int count, params int[] extremes)
    {
        Gen<int> any = Gen.Choose(extremes.Min(), extremes.Max());
        return Gen.OneOf(
                Gen.Elements(extremes).Select(value => Enumerable.Repeat(value, count).ToArray()),
                Gen.OneOf(Gen.Elements(extremes), any).ArrayOf(count))
            .Select(values => MemoryMarshal.AsBytes<short>(values.Select(value => (short)value).ToArray()).ToArray());
    }

    // The four inputs of a step lie one after the other.
    private static TInteger[] LoadFour<TIntegers, TInteger, TVector>(byte* x, int step)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger[] inputs = new TInteger[4];
        for (int i = 0; i < 4; i++)
        {
            inputs[i] = TIntegers.Load(x + (((step * 4) + i) * MaxBytes));
        }

        return inputs;
    }

    private static int[] Stored<TIntegers, TInteger, TVector>(TInteger value)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        int[] lanes = new int[TIntegers.Lanes];
        fixed (int* destination = lanes)
        {
            TIntegers.Store((byte*)destination, value);
        }

        return lanes;
    }

    private static byte[] StoredBytes<TIntegers, TInteger, TVector>(TInteger value)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        MemoryMarshal.AsBytes<int>(Stored<TIntegers, TInteger, TVector>(value)).ToArray();

    private static short[] StoredShorts<TIntegers, TInteger, TVector>(TInteger value)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        MemoryMarshal.Cast<int, short>(Stored<TIntegers, TInteger, TVector>(value)).ToArray();

    private static float[] StoredFloats<TSimd, TVector>(TVector value)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        float[] lanes = new float[TSimd.Width];
        fixed (float* destination = lanes)
        {
            TSimd.Store(destination, value);
        }

        return lanes;
    }

    private sealed class LanesCheck : IIntegerKernelCheck
    {
        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            Assert.Equal(TSimd.Width, TIntegers.Lanes);
            Assert.Equal(new int[TIntegers.Lanes], Stored<TIntegers, TInteger, TVector>(TIntegers.Zero));
        }
    }

    private sealed class BytesCheck : IIntegerKernelCheck
    {
        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct =>
            Prop.ForAll(Bytes(MaxBytes, 0x00, 0x0F, 0x7F, 0x80, 0xF0, 0xFF).ToArbitrary(), source =>
            {
                int lanes = TIntegers.Lanes;
                byte[] used = source[..(4 * lanes)];
                fixed (byte* at = source)
                {
                    TInteger loaded = TIntegers.Load(at);
                    Assert.Equal(used, StoredBytes<TIntegers, TInteger, TVector>(loaded));
                    Assert.Equal(
                        Enumerable.Range(0, used.Length).Select(i => source[i % 4]),
                        StoredBytes<TIntegers, TInteger, TVector>(TIntegers.Broadcast(at)));
                    Assert.Equal(
                        used.Select(value => (byte)(value & 15)),
                        StoredBytes<TIntegers, TInteger, TVector>(TIntegers.LowNibbles(loaded)));
                    Assert.Equal(
                        used.Select(value => (byte)(value >> 4)),
                        StoredBytes<TIntegers, TInteger, TVector>(TIntegers.HighNibbles(loaded)));
                    Assert.Equal(
                        used.Where((_, i) => i % 2 == 0).Select(value => (short)(sbyte)value),
                        StoredShorts<TIntegers, TInteger, TVector>(TIntegers.EvenBytes(loaded)));
                    Assert.Equal(
                        used.Where((_, i) => i % 2 == 1).Select(value => (short)(sbyte)value),
                        StoredShorts<TIntegers, TInteger, TVector>(TIntegers.OddBytes(loaded)));
                    Assert.Equal(
                        source[..lanes].Select(value => (float)value),
                        StoredFloats<TSimd, TVector>(TIntegers.ToFloat(TIntegers.LoadBytesAsIntegers(at))));
                }
            }).QuickCheckThrowOnFailure();
    }

    private sealed class NumbersCheck : IIntegerKernelCheck
    {
        // Beyond 2^24 the conversion must round; sums of a block reach 32 · 128 · 16383.
        private static readonly int[] Extremes =
        [
            0, 1, -1, 1 << 24, (1 << 24) + 1, -(1 << 24) - 1, (1 << 25) + 2, (1 << 25) + 6, 67_104_768, int.MaxValue,
            int.MinValue,
        ];

        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            Gen<int> any = Gen.Choose(int.MinValue, int.MaxValue);
            Gen<int[]> numbers = Gen.OneOf(Gen.Elements(Extremes), any).ArrayOf(MaxBytes / sizeof(int));

            Prop.ForAll(numbers.ToArbitrary(), numbers.ToArbitrary(), (first, second) =>
            {
                fixed (int* a = first)
                fixed (int* b = second)
                {
                    TInteger left = TIntegers.Load((byte*)a);
                    TInteger right = TIntegers.Load((byte*)b);
                    int[] lanes = [.. Enumerable.Range(0, TIntegers.Lanes)];
                    Assert.Equal(
                        lanes.Select(i => unchecked(first[i] + second[i])),
                        Stored<TIntegers, TInteger, TVector>(TIntegers.Add(left, right)));
                    Assert.Equal(
                        lanes.Select(i => unchecked((first[i] * 256) + second[i])),
                        Stored<TIntegers, TInteger, TVector>(TIntegers.Combine(left, right)));
                    Assert.Equal(
                        lanes.Select(i => (float)first[i]), StoredFloats<TSimd, TVector>(TIntegers.ToFloat(left)));
                }
            }).QuickCheckThrowOnFailure();
        }
    }

    private sealed class AddBytesCheck : IIntegerKernelCheck
    {
        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            Gen<byte[]> signed = Bytes(4 * MaxBytes * StepsPerBlock, 0x80, 0x7F, 0x81, 0x00);

            Prop.ForAll(
                Codes(MaxBytes * StepsPerBlock).ToArbitrary(), signed.ToArbitrary(), Matches<TIntegers, TInteger, TVector>)
                .QuickCheckThrowOnFailure();
            foreach (byte extreme in (byte[])[0x80, 0x7F])
            {
                byte[] codes = [.. Enumerable.Repeat((byte)15, MaxBytes * StepsPerBlock)];
                Matches<TIntegers, TInteger, TVector>(codes, [.. Enumerable.Repeat(extreme, 4 * MaxBytes * StepsPerBlock)]);
            }
        }

        private static void Matches<TIntegers, TInteger, TVector>(byte[] codes, byte[] bytes)
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
            where TVector : struct
        {
            TInteger[] sums = new TInteger[4];
            TInteger[] oneByOne = new TInteger[4];
            fixed (byte* w = codes)
            fixed (byte* x = bytes)
            {
                for (int step = 0; step < StepsPerBlock; step++)
                {
                    TInteger[] inputs = LoadFour<TIntegers, TInteger, TVector>(x, step);
                    TInteger weights = TIntegers.Load(w + (step * MaxBytes));
                    for (int i = 0; i < 4; i++)
                    {
                        TInteger products = TIntegers.ProductsOfBytes(weights, inputs[i]);
                        sums[i] = step == 0 ? products : TIntegers.AddSumsOfBytes(sums[i], products);
                        oneByOne[i] = TIntegers.AddBytes(oneByOne[i], weights, inputs[i]);
                    }
                }
            }

            for (int i = 0; i < 4; i++)
            {
                int[] expected = Expected(codes, bytes, i, TIntegers.Lanes);
                Assert.Equal(expected, Stored<TIntegers, TInteger, TVector>(TIntegers.TotalOfBytes(sums[i])));
                Assert.Equal(expected, Stored<TIntegers, TInteger, TVector>(TIntegers.TotalOfBytes(oneByOne[i])));
            }
        }

        private static int[] Expected(byte[] codes, byte[] bytes, int input, int lanes)
        {
            int[] sums = new int[lanes];
            for (int step = 0; step < StepsPerBlock; step++)
            {
                for (int i = 0; i < 4 * lanes; i++)
                {
                    sums[i / 4] += codes[(step * MaxBytes) + i] * (sbyte)bytes[(((step * 4) + input) * MaxBytes) + i];
                }
            }

            return sums;
        }
    }

    private sealed class AddShortsCheck : IIntegerKernelCheck
    {
        private const int Steps = 16;

        public void Run<TSimd, TVector, TIntegers, TInteger>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
        {
            // A block's weights, as EvenBytes and OddBytes give them, and its activations.
            Gen<byte[]> weights = Shorts(MaxBytes / 2 * Steps, -128, 127);
            Gen<byte[]> activations = Shorts(4 * MaxBytes / 2 * Steps, -32767, 32767, 0);

            Prop.ForAll(weights.ToArbitrary(), activations.ToArbitrary(), Matches<TIntegers, TInteger, TVector>)
                .QuickCheckThrowOnFailure();
            foreach (short extreme in (short[])[-32767, -16383, 16383, 32767])
            {
                short[] largest = [.. Enumerable.Repeat((short)-128, MaxBytes / 2 * Steps)];
                short[] extremes = [.. Enumerable.Repeat(extreme, 4 * MaxBytes / 2 * Steps)];
                Matches<TIntegers, TInteger, TVector>(
                    MemoryMarshal.AsBytes<short>(largest).ToArray(), MemoryMarshal.AsBytes<short>(extremes).ToArray());
            }
        }

        private static void Matches<TIntegers, TInteger, TVector>(byte[] codes, byte[] bytes)
            where TIntegers : struct, IIntegerSimd<TInteger, TVector>
            where TInteger : struct
            where TVector : struct
        {
            TInteger[] sums = new TInteger[4];
            TInteger[] oneByOne = new TInteger[4];
            fixed (byte* w = codes)
            fixed (byte* x = bytes)
            {
                for (int step = 0; step < Steps; step++)
                {
                    TInteger[] inputs = LoadFour<TIntegers, TInteger, TVector>(x, step);
                    TInteger loaded = TIntegers.Load(w + (step * MaxBytes));
                    for (int i = 0; i < 4; i++)
                    {
                        TInteger products = TIntegers.ProductsOfShorts(loaded, inputs[i]);
                        sums[i] = step == 0 ? products : TIntegers.Add(sums[i], products);
                        oneByOne[i] = TIntegers.AddShorts(oneByOne[i], loaded, inputs[i]);
                    }
                }
            }

            for (int i = 0; i < 4; i++)
            {
                int[] expected = Expected(codes, bytes, i, TIntegers.Lanes);
                Assert.Equal(expected, Stored<TIntegers, TInteger, TVector>(sums[i]));
                Assert.Equal(expected, Stored<TIntegers, TInteger, TVector>(oneByOne[i]));
            }
        }

        private static int[] Expected(byte[] codes, byte[] bytes, int input, int lanes)
        {
            ReadOnlySpan<short> w = MemoryMarshal.Cast<byte, short>(codes);
            ReadOnlySpan<short> x = MemoryMarshal.Cast<byte, short>(bytes);
            int[] sums = new int[lanes];
            for (int step = 0; step < Steps; step++)
            {
                for (int i = 0; i < 2 * lanes; i++)
                {
                    sums[i / 2] += w[(step * MaxBytes / 2) + i] * x[(((step * 4) + input) * MaxBytes / 2) + i];
                }
            }

            return sums;
        }
    }
}
