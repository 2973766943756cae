using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Weights in single precision.</summary>
internal readonly unsafe struct Float32Weights : IWeightFormat
{
    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)source);
}

/// <summary>Weights in the upper half of a single.</summary>
internal readonly unsafe struct BFloat16Weights : IWeightFormat
{
    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadBFloat16((ushort*)source);
}

/// <summary>Weights in half precision.</summary>
internal readonly unsafe struct Float16Weights : IWeightFormat
{
    /// <summary>2^112: the difference of the exponent biases of single and half precision, as a factor.</summary>
    public const float ExponentRebias = 5.192296858534828e33f;

    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadFloat16((ushort*)source);
}
