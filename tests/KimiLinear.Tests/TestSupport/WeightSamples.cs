namespace KimiLinear.Tests.TestSupport;

/// <summary>Numbers distributed as weights are, the same in every run.</summary>
internal static class WeightSamples
{
    public static readonly string[] Names = ["Gaussian", "Student-t(5)", "Student-t(3)", "Laplace"];

    public static float[] Draw(string distribution, int count, int seed = 1)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (float)(0.02 * distribution switch
            {
                "Gaussian" => Gaussian(random),
                "Student-t(5)" => Student(random, 5),
                "Student-t(3)" => Student(random, 3),
                "Laplace" => Laplace(random),
                _ => throw new ArgumentException($"There is no distribution {distribution}.", nameof(distribution)),
            });
        }

        return values;
    }

    private static double Gaussian(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static double Student(Random random, int degrees)
    {
        double sum = 0;
        for (int i = 0; i < degrees; i++)
        {
            sum += Math.Pow(Gaussian(random), 2);
        }

        return Gaussian(random) / Math.Sqrt(sum / degrees);
    }

    private static double Laplace(Random random)
    {
        double uniform = random.NextDouble() - 0.5;
        return -Math.Sign(uniform) * Math.Log(1 - (2 * Math.Abs(uniform)));
    }
}
