using System.Runtime.Intrinsics;

namespace KimiLinear.Model;

/// <summary>Random bits, eight words at a time; the same on every machine, whatever its vectors.</summary>
/// <remarks>Eight xorshift generators side by side (Marsaglia 2003): fast rather than good, for weights nobody reads.</remarks>
internal struct RandomStream
{
    // Steps of the sequence that seeds are drawn from (Steele et al. 2014, SplitMix64).
    private const ulong SeedStep = 0x9E3779B97F4A7C15;

    private Vector256<uint> _state;

    /// <param name="seed">Different seeds give unrelated streams, also when they follow each other.</param>
    public RandomStream(ulong seed)
    {
        ulong at = Mix(seed);
        for (int lane = 0; lane < Vector256<uint>.Count; lane++)
        {
            at += SeedStep;

            // A generator whose state is zero would stay there.
            _state = _state.WithElement(lane, (uint)Mix(at) | 1);
        }
    }

    /// <summary>The next eight words.</summary>
    public Vector256<uint> Next()
    {
        Vector256<uint> x = _state;
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        _state = x;
        return x;
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
