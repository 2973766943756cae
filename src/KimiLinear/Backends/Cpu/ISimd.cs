using System.Runtime.Intrinsics;

namespace KimiLinear.Backends;

/// <summary>The vector operations the kernels are written in, so that each kernel is written once for all widths.</summary>
/// <remarks>Implemented by structs only: the JIT compiles a kernel anew for each and inlines every member.</remarks>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Values per vector.</summary>
    static abstract int Width { get; }

    /// <summary>Whether a kernel may keep sixteen sums and their operands in registers.</summary>
    static abstract bool HasManyRegisters { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Broadcast(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(float* destination, TVector value);

    static abstract TVector LoadBFloat16(ushort* source);

    static abstract TVector LoadFloat16(ushort* source);

    /// <summary>Integers of 16 bits as float32.</summary>
    static abstract TVector LoadInt16(short* source);

    /// <summary>Rounds to the nearest integers of 16 bits, ties to even; values must lie within their range.</summary>
    static abstract void StoreInt16(short* destination, TVector value);

    /// <summary>Lanes of two integers of 16 bits: the lower from one place, the upper from another.</summary>
    static abstract TVector LoadPairs(short* lower, short* upper);

    /// <summary>For lanes of two integers of 16 bits: adds a's products with b to the integers of 32 bits in c.</summary>
    static abstract TVector MultiplyAddPairs(TVector a, TVector b, TVector c);

    /// <summary>Integers of 32 bits as float32.</summary>
    static abstract TVector ConvertToFloat(TVector integers);

    /// <summary>value · 2^n, where n are the lowest bits of another vector's significands.</summary>
    static abstract TVector ScaleByPowerOfTwo(TVector value, TVector exponents);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    static abstract TVector Max(TVector a, TVector b);

    /// <summary>The larger of two numbers, or b where either is none; one instruction, unlike <see cref="Max"/>.</summary>
    static abstract TVector Larger(TVector a, TVector b);

    /// <summary>a · b + c, in one rounding where the machine can.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    static abstract TVector Exp(TVector value);

    /// <summary>ln(1 + value) for values from 0 to 1.</summary>
    static abstract TVector Log1P(TVector value);

    /// <summary>
    /// Widens twice as many columns as a vector has lanes, of as many rows, to vectors with a lane for each row: column c goes to
    /// (c mod lanes) · laneStride + (c / lanes) · groupStride.
    /// </summary>
    static abstract void TransposeBFloat16(
        ushort* source, long sourceStride, float* destination, long laneStride, long groupStride);

    /// <summary>The sum of all values: halves are folded together, then neighbours added.</summary>
    static abstract float Sum(TVector value);

    /// <summary>Four sums at once, each to the last bit that of <see cref="Sum"/>.</summary>
    static abstract Vector128<float> Sum4(TVector a, TVector b, TVector c, TVector d);

    /// <summary>The largest values of four vectors.</summary>
    static abstract Vector128<float> Max4(TVector a, TVector b, TVector c, TVector d);

    static abstract float MaxAcross(TVector value);
}
