using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>One row at a time, for machines without vector instructions.</summary>
internal readonly unsafe struct IntegerScalar : IIntegerSimd<int, float>
{
    public static int Lanes => 1;

    public static int Zero => 0;

    public static int Load(byte* source) => *(int*)source;

    public static void Store(byte* destination, int value) => *(int*)destination = value;

    public static int Broadcast(byte* source) => *(int*)source;

    public static int LowNibbles(int bytes) => bytes & 0x0F0F0F0F;

    public static int HighNibbles(int bytes) => (bytes >>> 4) & 0x0F0F0F0F;

    public static int EvenBytes(int bytes) => Pair((sbyte)bytes, (sbyte)(bytes >> 16));

    public static int OddBytes(int bytes) => Pair((sbyte)(bytes >> 8), (sbyte)(bytes >> 24));

    public static int AddBytes(int sums, int codes, int signedBytes)
    {
        for (int shift = 0; shift < 32; shift += 8)
        {
            sums += (byte)(codes >> shift) * (sbyte)(signedBytes >> shift);
        }

        return sums;
    }

    public static int ProductsOfBytes(int codes, int signedBytes) => AddBytes(0, codes, signedBytes);

    public static int AddSumsOfBytes(int a, int b) => a + b;

    public static int TotalOfBytes(int sums) => sums;

    public static int TotalOfBytes(int sums, int factors) => sums * (factors & 0xFFFF);

    public static int AddShorts(int sums, int a, int b) => sums + ((short)a * (short)b) + ((a >> 16) * (b >> 16));

    public static int ProductsOfShorts(int a, int b) => AddShorts(0, a, b);

    public static int Add(int a, int b) => a + b;

    public static int Combine(int high, int low) => (high << 8) + low;

    public static float ToFloat(int value) => value;

    public static int LoadBytesAsPairs(byte* source) => *source | (*source << 16);

    public static int LoadBytesAsIntegers(byte* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Pair(int low, int high) => (ushort)low | (high << 16);
}
