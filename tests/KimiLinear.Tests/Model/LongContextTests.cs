using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>Long sequences take latent pages and nothing else.</summary>
[Collection(ProcessWide.Name)]
public sealed class LongContextTests
{
    private const int LongPrompt = 100_000;

    public LongContextTests()
    {
        // What other tests left to the finalizer must not change the counter later.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    public void Forward_HundredThousandTokens_TakesPagesOnlyAndSameLogitsHoweverCut()
    {
        float[] inSmallPieces = RunLongPrompt(512);

        float[] inLargePieces = RunLongPrompt(4096);

        TensorAssert.Identical(inSmallPieces, inLargePieces, "pieces of 512 against 4,096");
    }

    [Theory]
    [InlineData(LatentPrecision.Float32)]
    [InlineData(LatentPrecision.BFloat16)]
    [InlineData(LatentPrecision.Int16)]
    public void Forward_DecodeAtDepth_AllocatesNoManagedMemoryAndPagesOnly(LatentPrecision precision)
    {
        using KimiLinearModel model = KimiLinearModel.Load(
            Golden.TinyModel, new ModelLoadOptions { ThreadCount = 2, LatentCache = precision });
        float[] logits = new float[model.Config.VocabularySize];
        using SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, Prompt(3900), logits);
        model.Forward(sequence, [1], logits);
        long sequenceBytes = model.SequenceMemoryBytes;
        long native = NativeBuffer.AllocatedBytes;
        long managed = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 500; i++)
        {
            model.Forward(sequence, [i], logits);
        }

        managed = GC.GetAllocatedBytesForCurrentThread() - managed;
        native = NativeBuffer.AllocatedBytes - native;
        Assert.Equal(0, managed);
        Assert.InRange(model.SequenceMemoryBytes, sequenceBytes + 1, sequenceBytes * 2);
        Assert.Equal(model.SequenceMemoryBytes - sequenceBytes, native);
    }

    private static float[] RunLongPrompt(int pieceLength)
    {
        using KimiLinearModel model = KimiLinearModel.Load(
            Golden.TinyModel, new ModelLoadOptions { ThreadCount = 2, Format = WeightFormat.Q8 });
        int[] ids = Prompt(LongPrompt);
        float[] logits = new float[model.Config.VocabularySize];
        using SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, ids.AsSpan(0, pieceLength), logits);
        long sequenceBytes = model.SequenceMemoryBytes;
        long native = NativeBuffer.AllocatedBytes;
        long managed = GC.GetAllocatedBytesForCurrentThread();

        for (int start = pieceLength; start < LongPrompt; start += pieceLength)
        {
            model.Forward(sequence, ids.AsSpan(start, Math.Min(pieceLength, LongPrompt - start)), logits);
        }

        managed = GC.GetAllocatedBytesForCurrentThread() - managed;
        native = NativeBuffer.AllocatedBytes - native;
        Assert.Equal(LongPrompt, sequence.Length);
        Assert.Equal(0, managed);
        Assert.Equal(model.SequenceMemoryBytes - sequenceBytes, native);
        CacheLayout layout = new(model.Config, LatentPrecision.Int16);
        long needed = (CacheLayout.PagesFor(LongPrompt) * layout.PageBytes) + (layout.SlotLength * sizeof(float));
        Assert.InRange(model.SequenceMemoryBytes, needed, needed / 8 * 9);
        return logits;
    }

    private static int[] Prompt(int length)
    {
        Random random = new(5);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(1280))];
    }
}
