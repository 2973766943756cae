using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>The delta rule token by token and in chunks, for awkward head sizes, against the plain recurrence.</summary>
public sealed unsafe class DeltaKernelTests
{
    private static readonly int[] HeadDims = [1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 24, 33, 72, 192];
    private static readonly int[] TokenCounts = [1, 2, 3, 15, 16, 17, 33, 63, 64];

    public static TheoryData<string> Widths => Kernels.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Run_GoldenRecurrence_MatchesFloat64(string width) => Kernels.Run(width, new GoldenCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Run_AnyHeadSize_BothFormsMatchTheRecurrence(string width) => Kernels.Run(width, new SizesCheck());

    private static void Run<TSimd, TVector>(DeltaCase input, bool chunked)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        long length = chunked
            ? DeltaChunkKernel<TSimd, TVector>.ScratchLength(input.HeadDim)
            : DeltaKernel<TSimd, TVector>.ScratchLength(input.TokenCount, input.HeadDim);
        using GuardedMemory scratch = new(length * sizeof(float));
        new Span<float>(scratch.Data, (int)length).Fill(float.NaN);
        float[] decay = chunked ? [.. input.LogDecay] : [.. input.LogDecay.Select(MathF.Exp)];
        fixed (float* q = input.Query, k = input.Key, v = input.Value, g = decay, b = input.Beta)
        fixed (float* state = input.State, output = input.Output)
        {
            if (chunked)
            {
                DeltaChunkKernel<TSimd, TVector>.Run(
                    q, k, v, g, b, input.TokenCount, input.HeadDim, state, (float*)scratch.Data, output, input.HeadDim);
            }
            else
            {
                DeltaKernel<TSimd, TVector>.Run(
                    q, k, v, g, b, input.TokenCount, input.HeadDim, state, (float*)scratch.Data, output, input.HeadDim);
            }
        }
    }

    /// <summary>What the rule reads and writes.</summary>
    private sealed record DeltaCase(
        int TokenCount,
        int HeadDim,
        float[] Query,    // [T, K]
        float[] Key,      // [T, K]
        float[] Value,    // [T, V]
        float[] LogDecay, // [T, K]
        float[] Beta,     // [T]
        float[] State)    // [V, K]
    {
        public float[] Output { get; } = new float[TokenCount * HeadDim];

        public DeltaCase Copy() => new(TokenCount, HeadDim, Query, Key, Value, LogDecay, Beta, [.. State]);

        public static DeltaCase Random(Random random, int tokenCount, int headDim, float strongestDecay)
        {
            int length = tokenCount * headDim;
            return new DeltaCase(
                tokenCount,
                headDim,
                Unit(Kernels.Random(random, length), headDim),
                Unit(Kernels.Random(random, length), headDim),
                Kernels.Random(random, length),
                [.. Kernels.Random(random, length).Select(value => -strongestDecay * value * value)],
                [.. Kernels.Random(random, tokenCount).Select(MathF.Abs)],
                Kernels.Random(random, headDim * headDim));
        }

        public void RunRecurrence()
        {
            for (int t = 0; t < TokenCount; t++)
            {
                int first = t * HeadDim;
                ReferenceBackend.DeltaStep(
                    Query.AsSpan(first, HeadDim),
                    Key.AsSpan(first, HeadDim),
                    Value.AsSpan(first, HeadDim),
                    LogDecay.AsSpan(first, HeadDim),
                    Beta[t],
                    State,
                    Output.AsSpan(first, HeadDim));
            }
        }

        private static float[] Unit(float[] rows, int length)
        {
            for (int first = 0; first < rows.Length; first += length)
            {
                Span<float> row = rows.AsSpan(first, length);
                float norm = MathF.Sqrt(row.ToArray().Sum(value => value * value) + 1e-6f);
                foreach (ref float value in row)
                {
                    value /= norm;
                }
            }

            return rows;
        }
    }

    private sealed class GoldenCheck : IKernelCheck
    {
        private static readonly double[] Output =
        [
            0.21213203435596426, 0.4242640687119285,
            1.3684715089760155, 0.06407938506688154,
            -0.42294238758453645, 0.385621151405121,
        ];

        // One row per value channel.
        private static readonly double[] State =
            [0.9999683959673473, 0.33640642691561407, -0.31770368744539235, 0.48531285383122813];

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float scale = 1 / MathF.Sqrt(2);
            DeltaCase tokenwise = new(
                3,
                2,
                [scale, 0, 0.6f * scale, 0.8f * scale, -0.8f * scale, 0.6f * scale],
                [0.6f, 0.8f, 1, 0, 0, 1],
                [1, 2, 3, -1, 0.5f, 0.25f],
                [-0.1f, -0.2f, -0.5f, -0.05f, -1, -0.3f],
                [0.5f, 0.9f, 0.25f],
                new float[4]);
            DeltaCase chunked = tokenwise.Copy();
            DeltaCase plain = tokenwise.Copy();

            DeltaKernelTests.Run<TSimd, TVector>(tokenwise, chunked: false);
            DeltaKernelTests.Run<TSimd, TVector>(chunked, chunked: true);
            plain.RunRecurrence();

            foreach (DeltaCase actual in (DeltaCase[])[tokenwise, chunked, plain])
            {
                AssertClose(Output, actual.Output);
                AssertClose(State, actual.State);
            }
        }

        private static void AssertClose(double[] expected, float[] actual)
        {
            for (int i = 0; i < expected.Length; i++)
            {
                Assert.InRange(actual[i], expected[i] - 5e-7, expected[i] + 5e-7);
            }
        }
    }

    private sealed class SizesCheck : IKernelCheck
    {
        private const double Tolerance = 5e-6;
        private const double HalfUlp = 6e-8;

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(5);
            foreach (int headDim in HeadDims)
            {
                foreach (int tokenCount in headDim > 64 ? [1, 17, 64] : TokenCounts)
                {
                    Check<TSimd, TVector>(random, tokenCount, headDim, strongestDecay: 0.5f);
                    Check<TSimd, TVector>(random, tokenCount, headDim, strongestDecay: 170);
                }
            }
        }

        private static void Check<TSimd, TVector>(Random random, int tokenCount, int headDim, float strongestDecay)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            var tokenwise = DeltaCase.Random(random, tokenCount, headDim, strongestDecay);
            DeltaCase chunked = tokenwise.Copy();
            DeltaCase expected = tokenwise.Copy();

            DeltaKernelTests.Run<TSimd, TVector>(tokenwise, chunked: false);
            DeltaKernelTests.Run<TSimd, TVector>(chunked, chunked: true);
            expected.RunRecurrence();

            // The chunk takes differences of summed decays, which are rounded at the size of the sum.
            double chunkTolerance = Tolerance + (tokenCount * strongestDecay * HalfUlp);
            string what = $"{tokenCount} tokens of head size {headDim}, decays to {strongestDecay}";
            TensorAssert.Close(tokenwise.Output, expected.Output, Tolerance, $"{what}, output");
            TensorAssert.Close(tokenwise.State, expected.State, Tolerance, $"{what}, state");
            TensorAssert.Close(chunked.Output, expected.Output, chunkTolerance, $"{what}, output of the chunk");
            TensorAssert.Close(chunked.State, expected.State, chunkTolerance, $"{what}, state of the chunk");
        }
    }
}
