using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Sampling;

/// <summary>Chooses one of many by weight.</summary>
/// <remarks>
/// Weights are summed in blocks, eight at a time and in double precision, so that a large vocabulary is not one long chain of
/// additions. The order of the additions is the same on every machine, and so is the choice.
/// </remarks>
internal static class WeightedChoice
{
    private const int BlockLength = 256;

    /// <summary>Returns the sum of weights that are not negative.</summary>
    public static double Total(ReadOnlySpan<float> weights)
    {
        double total = 0;
        for (int start = 0; start < weights.Length; start += BlockLength)
        {
            total += SumOfBlock(Block(weights, start));
        }

        return total;
    }

    /// <summary>Returns the index in whose part of the sum a place lies; never one of no weight.</summary>
    /// <param name="weights">The weights, none of them negative. [N]</param>
    /// <param name="place">From 0 to below <see cref="Total"/>.</param>
    public static int IndexAt(ReadOnlySpan<float> weights, double place)
    {
        double reached = 0;
        for (int start = 0; start < weights.Length; start += BlockLength)
        {
            ReadOnlySpan<float> block = Block(weights, start);
            double end = reached + SumOfBlock(block);
            if (place < end)
            {
                return start + IndexInBlock(block, reached, place);
            }

            reached = end;
        }

        throw new UnreachableException("The blocks' sums, added again in the same order, end at the total.");
    }

    private static ReadOnlySpan<float> Block(ReadOnlySpan<float> weights, int start) =>
        weights.Slice(start, Math.Min(BlockLength, weights.Length - start));

    private static int IndexInBlock(ReadOnlySpan<float> block, double reached, double place)
    {
        int index = -1;
        for (int i = 0; i < block.Length && reached <= place; i++)
        {
            reached += block[i];

            // Added one by one the weights may end a rounding before the place; then it is the last of any weight.
            index = block[i] > 0 ? i : index;
        }

        return index;
    }

    private static double SumOfBlock(ReadOnlySpan<float> block)
    {
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(block);
        Vector256<double> low = Vector256<double>.Zero;
        Vector256<double> high = Vector256<double>.Zero;
        foreach (Vector256<float> vector in vectors)
        {
            low += Vector256.WidenLower(vector);
            high += Vector256.WidenUpper(vector);
        }

        low += high;
        double sum = (low[0] + low[2]) + (low[1] + low[3]);
        foreach (float weight in block[(vectors.Length * Vector256<float>.Count)..])
        {
            sum += weight;
        }

        return sum;
    }
}
