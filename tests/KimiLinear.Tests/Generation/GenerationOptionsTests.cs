using System.Text.RegularExpressions;
using KimiLinear.Generation;
using Xunit;

namespace KimiLinear.Tests.Generation;

public sealed class GenerationOptionsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void MaxTokens_BelowOne_Throws(int count)
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { MaxTokens = count });

        Assert.Equal(nameof(GenerationOptions.MaxTokens), thrown.ParamName);
    }

    [Fact]
    public void PrefillChunkTokens_BelowOne_Throws()
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { PrefillChunkTokens = 0 });

        Assert.Equal(nameof(GenerationOptions.PrefillChunkTokens), thrown.ParamName);
    }

    [Fact]
    public void StopTokenIds_NegativeId_Throws()
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { StopTokenIds = [3, -1] });

        Assert.Equal(nameof(GenerationOptions.StopTokenIds), thrown.ParamName);
    }

    [Fact]
    public void ForbiddenTokenIds_NegativeId_Throws()
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { ForbiddenTokenIds = [3, -1] });

        Assert.Equal(nameof(GenerationOptions.ForbiddenTokenIds), thrown.ParamName);
    }

    [Fact]
    public void StopSequences_EmptyAndNullItems_AreIgnored() =>
        Assert.Equal(["a", "b"], new GenerationOptions { StopSequences = ["a", "", null!, "b"] }.StopSequences);

    // The low half of a character would end the text behind the high half.
    [Theory]
    [InlineData(@"\ud83d")]
    [InlineData(@"\ude00")]
    [InlineData(@"😀\ud83d!")]
    public void StopSequences_HalfASurrogatePair_Throws(string stop)
    {
        ArgumentException thrown = Assert.Throws<ArgumentException>(
            () => new GenerationOptions { StopSequences = ["a", Regex.Unescape(stop)] });

        Assert.Equal(nameof(GenerationOptions.StopSequences), thrown.ParamName);
    }

    [Fact]
    public void StopSequences_ChangedAfterwardsByTheCaller_StayAsTheyWere()
    {
        List<string> stops = ["a"];
        var options = new GenerationOptions { StopSequences = stops };

        stops.Add("b");

        Assert.Equal(["a"], options.StopSequences);
    }

    [Fact]
    public void Constructor_NothingSet_AsksForTheModelsDefaults()
    {
        var options = new GenerationOptions();

        Assert.Null(options.SamplingOptions);
        Assert.Null(options.MaxTokens);
        Assert.Null(options.StopTokenIds);
        Assert.Null(options.ForbiddenTokenIds);
        Assert.Empty(options.StopSequences);
        Assert.Equal(512, options.PrefillChunkTokens);
        Assert.False(options.IncludeLogProbabilities);
        Assert.False(options.IncludeSpecialTokens);
    }
}
