using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>A value in float64, and how far what a kernel makes of it may be from it.</summary>
/// <remarks>
/// The product of two bfloat16 values is exact in float32, which has three times their bits; what is lost is lost by additions.
/// Each leaves a float32 sum off by 2^-24 of it at most where it is rounded, and by 2^-23 where it is cut, as tensor cores do.
/// Taking 2^-23 of every sum on the way leaves room for the products of those errors.
/// </remarks>
internal readonly record struct Bounded(double Value, double Error)
{
    private const double Addition = 1.0 / (1 << 23);

    private const int BlockColumns = 32;

    // SiLU is nowhere steeper.
    private const double SiluSlope = 1.1;

    // Of its sigmoid, and of the two products behind it.
    private const double SiluRoundings = 8e-7;

    /// <summary>How far bfloat16 parts may be from the value they stand for, relative to it.</summary>
    /// <remarks>
    /// A value in [2^e, 2^(e+1)) is rounded to a multiple of 2^(e-7), so it leaves 2^(e-8) at most; that, rounded to a multiple
    /// of 2^(e-16) or less, leaves 2^(e-17).
    /// </remarks>
    public static double PartLoss(int partCount) => partCount == 1 ? 1.0 / (1 << 8) : 1.0 / (1 << 17);

    /// <summary>One output of a product: sixteen columns at a time, those of every part in turn.</summary>
    public static Bounded Product(ReadOnlySpan<ushort> weights, double[][] parts)
    {
        const int Columns = 16;
        double sum = 0;
        double sums = 0;
        for (int first = 0; first < weights.Length; first += Columns)
        {
            foreach (double[] part in parts)
            {
                for (int c = first; c < Math.Min(first + Columns, weights.Length); c++)
                {
                    sum += Exact.Value(weights[c]) * part[c];
                    sums += Math.Abs(sum);
                }
            }
        }

        return new Bounded(sum, sums * Addition);
    }

    /// <summary>One output of a product whose input is given in parts of these values.</summary>
    /// <remarks>
    /// Between the additions of a value's parts a sum lacks what the later part brings, no more than the product itself.
    /// </remarks>
    public static Bounded Product(ReadOnlySpan<ushort> weights, Bounded[] input, int partCount)
    {
        double sum = 0;
        double error = 0;
        for (int c = 0; c < weights.Length; c++)
        {
            double weight = Exact.Value(weights[c]);
            double product = weight * input[c].Value;
            sum += product;
            error += (Math.Abs(sum) + Math.Abs(product)) * partCount * Addition;
            error += Math.Abs(weight) * (input[c].Error + (PartLoss(partCount) * (Math.Abs(input[c].Value) + input[c].Error)));
        }

        return new Bounded(sum, error);
    }

    /// <summary>One output of a product with weights that have scales; blocks of columns are summed by themselves.</summary>
    /// <remarks>
    /// Sixteen columns at a time, those of every part in turn; every 32 columns the sum is scaled and added to the others, and at
    /// last scaled once more.
    /// </remarks>
    public static Bounded ScaledProduct(ReadOnlySpan<double> weights, double[][] parts)
    {
        const int Columns = 16;
        double total = 0;
        double sums = 0;
        for (int block = 0; block < weights.Length; block += BlockColumns)
        {
            int end = Math.Min(block + BlockColumns, weights.Length);
            double sum = 0;
            for (int first = block; first < end; first += Columns)
            {
                foreach (double[] part in parts)
                {
                    for (int c = first; c < Math.Min(first + Columns, end); c++)
                    {
                        sum += weights[c] * part[c];
                        sums += Math.Abs(sum);
                    }
                }
            }

            total += sum;
            sums += Math.Abs(total);
        }

        return new Bounded(total, (sums + (2 * Math.Abs(total))) * Addition);
    }

    /// <summary>The same where the input is given in parts of these values.</summary>
    public static Bounded ScaledProduct(ReadOnlySpan<double> weights, Bounded[] input, int partCount)
    {
        double total = 0;
        double sum = 0;
        double error = 0;
        for (int c = 0; c < weights.Length; c++)
        {
            double product = weights[c] * input[c].Value;
            sum += product;
            error += (Math.Abs(sum) + Math.Abs(product)) * partCount * Addition;
            error += Math.Abs(weights[c])
                * (input[c].Error + (PartLoss(partCount) * (Math.Abs(input[c].Value) + input[c].Error)));
            if ((c + 1) % BlockColumns == 0 || c + 1 == weights.Length)
            {
                total += sum;
                sum = 0;
                error += Math.Abs(total) * Addition;
            }
        }

        return new Bounded(total, error + (2 * Math.Abs(total) * Addition));
    }

    public static Bounded GatedValue(Bounded gate, Bounded up)
    {
        double silu = Exact.Silu(gate.Value);
        double value = silu * up.Value;
        double error = (SiluSlope * gate.Error * (Math.Abs(up.Value) + up.Error)) + (Math.Abs(silu) * up.Error);
        return new Bounded(value, error + (SiluRoundings * Math.Abs(value)));
    }

    /// <summary>Adds another, weighed, and rounds.</summary>
    public Bounded Add(double weight, Bounded other)
    {
        double sum = Value + (weight * other.Value);
        return new Bounded(sum, Error + (Math.Abs(weight) * other.Error) + (Math.Abs(sum) * Addition));
    }

    public static void AssertAll(Bounded[] expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            (double value, double error) = expected[i];
            Assert.True(
                Math.Abs(value - actual[i]) <= error, $"Value {i} is {actual[i]:R}, but {value:R} is right to {error:R}.");
        }
    }
}
