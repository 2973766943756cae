using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class TextSlicesTests
{
    [Theory]
    [InlineData("", new int[0])]
    [InlineData("short text", new[] { 10 })]
    public void Enumerate_ShortText_IsOneSlice(string text, int[] lengths) => Assert.Equal(lengths, Lengths(text));

    [Theory]
    [InlineData("a", 25_000, new[] { 25_000 })]
    [InlineData("a", 25_001, new[] { 25_000, 1 })]
    [InlineData(" ", 60_000, new[] { 25_000, 25_000, 10_000 })]
    [InlineData("\u001C", 25_001, new[] { 25_000, 1 })]
    [InlineData("😀", 25_001, new[] { 50_000, 2 })] // the limit counts code points
    [InlineData("a ", 20_000, new[] { 40_000 })] // no run is long
    [InlineData("a ", 200_001, new[] { 400_000, 2 })]
    public void Enumerate_LongText_CutsRunsAndBlocks(string unit, int count, int[] lengths) =>
        Assert.Equal(lengths, Lengths(string.Concat(Enumerable.Repeat(unit, count))));

    [Fact]
    public void Enumerate_LoneSurrogates_CountAsOneCodePointEach() =>
        Assert.Equal([25_000, 1], Lengths(new string('\uD83D', 25_001)));

    [Fact]
    public void Enumerate_BlockEndsInsideARun_StartsCountingAgain()
    {
        string text = string.Concat(Enumerable.Repeat("a ", 190_000)) + new string('a', 50_000);

        Assert.Equal([400_000, 25_000, 5_000], Lengths(text));
    }

    [Fact]
    public void Enumerate_AnyRuns_MatchesThePublishedProcedure()
    {
        Gen<string> run = Gen.Elements("a", " ", "世", "😀", "\u001F", "\u00A0")
            .SelectMany(unit => Gen.Choose(1, 60_000).Select(count => string.Concat(Enumerable.Repeat(unit, count))));
        Gen<string> texts = Gen.Choose(1, 20).SelectMany(count => run.ArrayOf(count).Select(string.Concat));

        Prop.ForAll(texts.ToArbitrary(), text => Assert.Equal(PublishedLengths(text), Lengths(text)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(20));
    }

    private static List<int> Lengths(string text)
    {
        List<int> lengths = [];
        int end = 0;
        foreach ((int offset, int length) in new TextSlices(text))
        {
            Assert.Equal(end, offset);
            end = offset + length;
            lengths.Add(length);
        }

        Assert.Equal(text.Length, end);
        return lengths;
    }

    // As the published tokenizer does it: blocks first, then the runs of each block.
    private static List<int> PublishedLengths(string text)
    {
        List<int> lengths = [];
        foreach (Rune[] block in text.EnumerateRunes().Chunk(400_000))
        {
            bool runIsSpace = IsSpace(block[0]);
            int runLength = 0;
            int sliceUnits = 0;
            foreach (Rune rune in block)
            {
                if (IsSpace(rune) != runIsSpace)
                {
                    runLength = 1;
                    runIsSpace = !runIsSpace;
                }
                else if (++runLength > 25_000)
                {
                    lengths.Add(sliceUnits);
                    sliceUnits = 0;
                    runLength = 1;
                }

                sliceUnits += rune.Utf16SequenceLength;
            }

            lengths.Add(sliceUnits);
        }

        return lengths;
    }

    private static bool IsSpace(Rune rune) => Rune.IsWhiteSpace(rune) || rune.Value is >= 0x1C and <= 0x1F;
}
