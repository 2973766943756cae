using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class ExpertTests
{
    private const float Epsilon = 1e-5f;

    [Theory]
    [InlineData(256, 8, 1, 1, true)]
    [InlineData(180, 8, 1, 1, true)]
    [InlineData(20, 4, 5, 2, true)]
    [InlineData(64, 6, 8, 3, false)]
    [InlineData(8, 2, 8, 4, true)]
    [InlineData(33, 33, 1, 1, true)]
    [InlineData(5, 1, 1, 1, true)]
    [InlineData(1, 1, 1, 1, false)]
    public void SelectExperts_AnySizes_ChoosesAsTheHostDoes(int count, int active, int groups, int kept, bool normalizes)
    {
        const int Tokens = 7;
        Samples samples = new();
        float[] logits = samples.Floats(Tokens * count, 4);
        float[] bias = samples.Floats(count);

        AssertSelection(logits, bias, Tokens, active, groups, kept, normalizes);
    }

    [Fact]
    public void SelectExperts_Ties_GoToTheLowerIndex()
    {
        float[] logits = [1, 1, 1, 1, 1, 1, 0, 2, 2, 0, 2, 2];

        AssertSelection(logits, new float[6], 2, 3, 1, 1, true);
        AssertSelection(logits, new float[6], 2, 2, 3, 2, true);
    }

    [Theory]
    [InlineData(float.NaN, 1f, 2f, float.NaN, 0f)]
    [InlineData(float.NegativeInfinity, float.PositiveInfinity, 0f, 0f, 0f)]
    [InlineData(float.NaN, float.NaN, float.NaN, float.NaN, 1f)]
    [InlineData(float.NaN, float.NaN, float.NaN, float.NaN, float.NaN)]
    public void SelectExperts_NoNumbers_ChoosesAsTheHostDoes(params float[] logits) =>
        AssertSelection(logits, new float[5], 1, 2, 1, 1, true);

    [Theory]
    [InlineData(64, 24, 24, 6, 3, 1, true)]
    [InlineData(64, 32, 64, 6, 2, 3, false)]
    [InlineData(21, 13, 5, 4, 2, 2, true)]
    [InlineData(40, 9, 0, 5, 5, 1, true)]
    [InlineData(72, 0, 48, 0, 0, 3, true)]
    [InlineData(19, 0, 7, 0, 0, 1, false)]
    [InlineData(256, 104, 104, 10, 8, 1, true)]
    public void ExpertGateUpAndDown_AnySizes_MatchFormula(
        int columns, int expertDim, int sharedDim, int experts, int active, int tokens, bool isNormed)
    {
        Samples samples = new();
        using TestDevice device = new();
        float[] input = samples.Floats(tokens * columns, 2);
        float[]? norm = isNormed ? samples.Norm(columns) : null;
        ushort[] gateUp = samples.Matrix(experts * 2 * expertDim, columns);
        ushort[] sharedGateUp = samples.Matrix(2 * sharedDim, columns);
        ushort[] down = samples.Matrix(experts * columns, Math.Max(1, expertDim))[..(experts * columns * expertDim)];
        ushort[] sharedDown = samples.Matrix(columns, Math.Max(1, sharedDim))[..(columns * sharedDim)];
        int[] chosen = [.. Enumerable.Range(0, tokens).SelectMany(
            t => Enumerable.Range(0, experts).OrderBy(e => (e * 7 + t * 3) % 11).Take(active).Order())];
        float[] weights = samples.Floats(tokens * active);
        float[] before = samples.Floats(tokens * columns);
        int length = (active * expertDim) + sharedDim;
        DeviceBuffer activations = device.Reserve<float>(tokens * length);
        DeviceBuffer hidden = device.Upload(before);
        DeviceBuffer chosenBuffer = device.Upload(chosen);
        ExpertGateUpArguments first = new()
        {
            Input = device.Upload(input).Address,
            Norm = norm is null ? 0 : device.Upload(norm).Address,
            GateUp = new WeightMatrix { Values = device.Upload(gateUp).Address },
            SharedGateUp = new WeightMatrix { Values = device.Upload(sharedGateUp).Address },
            Experts = chosenBuffer.Address,
            Activations = activations.Address,
            Columns = columns,
            ExpertDim = expertDim,
            SharedDim = sharedDim,
            ActiveCount = active,
            Epsilon = Epsilon,
        };
        ExpertDownArguments second = new()
        {
            Activations = activations.Address,
            Experts = chosenBuffer.Address,
            Weights = device.Upload(weights).Address,
            Down = new WeightMatrix { Values = device.Upload(down).Address },
            SharedDown = new WeightMatrix { Values = device.Upload(sharedDown).Address },
            Hidden = hidden.Address,
            Columns = columns,
            ExpertDim = expertDim,
            SharedDim = sharedDim,
            ActiveCount = active,
        };

        device.Run(() =>
        {
            device.Kernels.ExpertGateUp(device.Stream, first, tokens);
            device.Kernels.ExpertDown(device.Stream, second, tokens);
        });

        double[] expected = [.. before.Select(value => (double)value)];
        for (int t = 0; t < tokens; t++)
        {
            double[] x = Exact.RmsNorm(Exact.Row(input, t, columns), norm, Epsilon);
            for (int i = 0; i < active; i++)
            {
                Add(Exact.GatedMlp(gateUp, down, x, chosen[(t * active) + i], expertDim), weights[(t * active) + i], t);
            }

            if (sharedDim > 0)
            {
                Add(Exact.GatedMlp(sharedGateUp, sharedDown, x, 0, sharedDim), 1, t);
            }
        }

        Exact.AssertClose(expected, hidden.Read<float>());

        void Add(double[] values, double factor, int token)
        {
            for (int c = 0; c < columns; c++)
            {
                expected[(token * columns) + c] += factor * values[c];
            }
        }
    }

    [Fact]
    public void SelectExperts_GroupsThatDoNotDivide_AreRefused()
    {
        using TestDevice device = new();

        Assert.Throws<ArgumentException>(
            () => device.Kernels.SelectExperts(device.Stream, Arguments(0, 0, 0, 0, 10, 2, 3, 1, true), 1));
    }

    private static void AssertSelection(
        float[] logits, float[] bias, int tokens, int active, int groups, int kept, bool normalizes)
    {
        int count = bias.Length;
        using TestDevice device = new();
        DeviceBuffer experts = device.Reserve<int>(tokens * active);
        DeviceBuffer weights = device.Reserve<float>(tokens * active);
        SelectExpertsArguments arguments = Arguments(
            device.Upload(logits).Address,
            device.Upload(bias).Address,
            experts.Address,
            weights.Address,
            count,
            active,
            groups,
            kept,
            normalizes);

        device.Run(() => device.Kernels.SelectExperts(device.Stream, arguments, tokens));

        KimiLinearConfig config = KimiLinearConfig.Load(Golden.TinyModel) with
        {
            ExpertCount = count,
            ActiveExpertCount = active,
            ExpertGroupCount = groups,
            ActiveExpertGroupCount = kept,
            NormalizeRouterWeights = normalizes,
            RoutedScalingFactor = arguments.Scaling,
        };
        int[] actualExperts = experts.Read<int>();
        float[] actualWeights = weights.Read<float>();
        for (int t = 0; t < tokens; t++)
        {
            int[] chosen = new int[active];
            float[] chosenWeights = new float[active];
            ExpertSelection.Select(config, logits.AsSpan(t * count, count), bias, chosen, chosenWeights);

            Assert.Equal(chosen, actualExperts[(t * active)..((t + 1) * active)]);
            for (int i = 0; i < active; i++)
            {
                float actual = actualWeights[(t * active) + i];
                Assert.True(
                    chosenWeights[i].Equals(actual) || Math.Abs(chosenWeights[i] - actual) <= Math.Abs(chosenWeights[i]) * 1e-6f,
                    $"Weight {i} of token {t} is {actual:R}, but {chosenWeights[i]:R} on the host.");
            }
        }
    }

    private static SelectExpertsArguments Arguments(
        nint logits, nint bias, nint experts, nint weights, int count, int active, int groups, int kept, bool normalizes) => new()
        {
            Logits = logits,
            Bias = bias,
            Experts = experts,
            Weights = weights,
            ExpertCount = count,
            ActiveCount = active,
            GroupCount = groups,
            KeptGroupCount = kept,
            Normalizes = normalizes ? 1 : 0,
            Scaling = 2.446f,
        };
}
