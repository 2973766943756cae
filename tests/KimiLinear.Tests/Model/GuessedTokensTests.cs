using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>A few tokens read together, as guesses are, leave the bits that they leave one after the other.</summary>
public sealed class GuessedTokensTests
{
    // Inside a page of cached rows, at its beginning, over its end, and where the pages are divided among the workers otherwise.
    [Theory]
    [InlineData(WeightFormat.Source, 1, 300)]
    [InlineData(WeightFormat.Source, 2, 300)]
    [InlineData(WeightFormat.Q8, 2, 300)]
    [InlineData(WeightFormat.Q4, 2, 300)]
    [InlineData(WeightFormat.Q4, 2, 65)]
    [InlineData(WeightFormat.Q4, 2, 318)]
    [InlineData(WeightFormat.Q4, 2, 8187)]
    public void Forward_FewTokensTogether_SameBitsAsOneByOne(WeightFormat format, int threads, int promptLength)
    {
        using KimiLinearModel model = KimiLinearModel.Load(
            Golden.TinyModel, new ModelLoadOptions { Device = ComputeDevice.Cpu, Format = format, ThreadCount = threads });
        int[] prompt = [.. Enumerable.Range(0, promptLength).Select(i => i * 13 % 1000)];
        int[] next = [7, 900, 13, 55, 2, 640, 31, 8, 77];
        int vocabulary = model.Config.VocabularySize;
        using SequenceState together = model.CreateSequence();
        using SequenceState single = model.CreateSequence();
        model.Forward(together, prompt, []);
        model.Forward(single, prompt, []);
        float[] expected = new float[next.Length * vocabulary];
        for (int i = 0; i < next.Length; i++)
        {
            model.Forward(single, next.AsSpan(i, 1), expected.AsSpan(i * vocabulary, vocabulary));
        }

        float[] logits = new float[next.Length * vocabulary];
        model.Forward([new BatchEntry(together, next, LogitsRequest.EveryToken)], logits);

        Assert.Equal(expected, logits);
    }
}
