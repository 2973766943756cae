using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>
/// Where products go: rows with a gap between them, in memory that ends or begins where the process may write no further.
/// </summary>
internal sealed unsafe class PackedOutput : IDisposable
{
    // Odd, so that rows begin at any address.
    private const int Gap = 5;

    private readonly GuardedMemory _memory;
    private readonly GuardedMemory _indices;
    private readonly GuardedMemory _scales;
    private readonly float[] _before;
    private readonly int _rowCount;
    private readonly bool _adds;

    /// <summary>Rows in their order, set to the products.</summary>
    public PackedOutput(int tokenCount, int rowCount, bool guardsStart)
        : this(tokenCount, rowCount, guardsStart, adds: false)
    {
        // What is read shows.
        _before.AsSpan().Fill(float.NaN);
        Restore();
        Output = new MatMulOutput((float*)_memory.Data, rowCount + Gap);
    }

    /// <summary>Rows in any order, to which the products are added, each row times a factor.</summary>
    public PackedOutput(Random random, int tokenCount, int rowCount, bool guardsStart)
        : this(tokenCount, rowCount, guardsStart, adds: true)
    {
        random.Shuffle(Indices);
        Kernels.Random(random, tokenCount, 2).CopyTo(Scales);
        Kernels.Random(random, _before.Length).CopyTo(_before, 0);
        Restore();
        Output = new MatMulOutput(
            (float*)_memory.Data, rowCount + Gap, add: true, (int*)_indices.Data, (float*)_scales.Data);
    }

    private PackedOutput(int tokenCount, int rowCount, bool guardsStart, bool adds)
    {
        _adds = adds;
        _rowCount = rowCount;
        _before = new float[(tokenCount * (rowCount + Gap)) - Gap];
        _memory = new GuardedMemory(_before.Length * sizeof(float), guardsStart);
        _indices = new GuardedMemory(tokenCount * sizeof(int), guardsStart);
        _scales = new GuardedMemory(tokenCount * sizeof(float), guardsStart);
        TokenCount = tokenCount;
        for (int i = 0; i < tokenCount; i++)
        {
            Indices[i] = i;
            Scales[i] = 1;
        }
    }

    public int TokenCount { get; }

    public MatMulOutput Output { get; }

    private Span<int> Indices => new(_indices.Data, TokenCount);

    private Span<float> Scales => new(_scales.Data, TokenCount);

    /// <summary>The products are where they belong, to the last bit, and everything else is as it was.</summary>
    public void AssertHolds(float[] products, string what)
    {
        float[] expected = [.. _before];
        for (int i = 0; i < products.Length; i++)
        {
            (int token, int row) = (i / _rowCount, i % _rowCount);
            ref float value = ref expected[(Indices[token] * (_rowCount + Gap)) + row];
            float scaled = products[i] * Scales[token];
            value = _adds ? value + scaled : scaled;
        }

        float[] actual = new Span<float>(_memory.Data, expected.Length).ToArray();
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(actual[i]) != BitConverter.SingleToUInt32Bits(expected[i]))
            {
                Assert.Fail($"{what}: value {i} of {expected.Length} is {actual[i]:R}, but must be {expected[i]:R}.");
            }
        }
    }

    public void Dispose()
    {
        _memory.Dispose();
        _indices.Dispose();
        _scales.Dispose();
    }

    private void Restore() => _before.CopyTo(new Span<float>(_memory.Data, _before.Length));
}
