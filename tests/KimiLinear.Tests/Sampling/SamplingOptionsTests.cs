using KimiLinear.Configuration;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class SamplingOptionsTests
{
    public static TheoryData<string, float> InvalidNumbers() => new()
    {
        { nameof(SamplingOptions.Temperature), -0.1f },
        { nameof(SamplingOptions.Temperature), float.NaN },
        { nameof(SamplingOptions.Temperature), float.PositiveInfinity },
        { nameof(SamplingOptions.TopK), -1 },
        { nameof(SamplingOptions.TopP), 0 },
        { nameof(SamplingOptions.TopP), -0.5f },
        { nameof(SamplingOptions.TopP), 1.01f },
        { nameof(SamplingOptions.TopP), float.NaN },
        { nameof(SamplingOptions.MinP), -0.01f },
        { nameof(SamplingOptions.MinP), 1.01f },
        { nameof(SamplingOptions.MinP), float.NaN },
        { nameof(SamplingOptions.RepetitionPenalty), 0 },
        { nameof(SamplingOptions.RepetitionPenalty), -1 },
        { nameof(SamplingOptions.RepetitionPenalty), float.NaN },
        { nameof(SamplingOptions.RepetitionPenalty), float.PositiveInfinity },
        { nameof(SamplingOptions.FrequencyPenalty), -2.1f },
        { nameof(SamplingOptions.FrequencyPenalty), 2.1f },
        { nameof(SamplingOptions.FrequencyPenalty), float.NaN },
        { nameof(SamplingOptions.PresencePenalty), -2.1f },
        { nameof(SamplingOptions.PresencePenalty), 2.1f },
        { nameof(SamplingOptions.PresencePenalty), float.NaN },
    };

    public static TheoryData<string, float> BoundaryNumbers() => new()
    {
        { nameof(SamplingOptions.Temperature), 0 },
        { nameof(SamplingOptions.Temperature), float.MaxValue },
        { nameof(SamplingOptions.TopK), 0 },
        { nameof(SamplingOptions.TopP), float.Epsilon },
        { nameof(SamplingOptions.TopP), 1 },
        { nameof(SamplingOptions.MinP), 0 },
        { nameof(SamplingOptions.MinP), 1 },
        { nameof(SamplingOptions.RepetitionPenalty), float.Epsilon },
        { nameof(SamplingOptions.FrequencyPenalty), -2 },
        { nameof(SamplingOptions.FrequencyPenalty), 2 },
        { nameof(SamplingOptions.PresencePenalty), -2 },
        { nameof(SamplingOptions.PresencePenalty), 2 },
    };

    [Theory]
    [MemberData(nameof(InvalidNumbers))]
    public void Init_ValueOutsideTheRange_ThrowsNamingPropertyAndValue(string property, float value)
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => With(property, value));

        Assert.Equal(property, thrown.ParamName);
        Assert.Equal(value, Convert.ToSingle(thrown.ActualValue, null));
        Assert.StartsWith($"{property} must be ", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(BoundaryNumbers))]
    public void Init_ValueAtTheBoundary_IsKept(string property, float value)
    {
        SamplingOptions options = With(property, value);

        Assert.Equal(value, Convert.ToSingle(typeof(SamplingOptions).GetProperty(property)!.GetValue(options), null));
    }

    [Fact]
    public void Constructor_NothingSet_ChangesNothing()
    {
        var options = new SamplingOptions();

        Assert.Equal((1f, 0, 1f, 0f), (options.Temperature, options.TopK, options.TopP, options.MinP));
        Assert.Equal((1f, 0f, 0f), (options.RepetitionPenalty, options.FrequencyPenalty, options.PresencePenalty));
        Assert.Null(options.LogitBias);
        Assert.Null(options.Seed);
        Assert.Empty(options.Processors);
    }

    [Theory]
    [InlineData(-1, 1f)]
    [InlineData(3, float.NaN)]
    public void LogitBias_InvalidEntry_Throws(int tokenId, float bias)
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(
            () => new SamplingOptions { LogitBias = new Dictionary<int, float> { [tokenId] = bias } });

        Assert.Equal(nameof(SamplingOptions.LogitBias), thrown.ParamName);
    }

    [Fact]
    public void LogitBias_ChangedAfterwardsByTheCaller_StaysAsItWas()
    {
        var bias = new Dictionary<int, float> { [3] = 1 };
        var options = new SamplingOptions { LogitBias = bias };

        bias[3] = float.NaN;

        Assert.Equal(1, options.LogitBias[3]);
    }

    [Fact]
    public void Processors_NullItem_Throws()
    {
        var thrown = Assert.Throws<ArgumentNullException>(() => new SamplingOptions { Processors = [null!] });

        Assert.Equal(nameof(SamplingOptions.Processors), thrown.ParamName);
    }

    [Fact]
    public void RequireTokenIdsBelow_TokenTheModelLacks_ThrowsNamingIt()
    {
        var options = new SamplingOptions { LogitBias = new Dictionary<int, float> { [7] = 1, [8] = 1 } };

        options.RequireTokenIdsBelow(9);
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => options.RequireTokenIdsBelow(8));

        Assert.Equal(8, thrown.ActualValue);
    }

    [Fact]
    public void FromGenerationConfig_NothingRecommended_IsTheDefault()
    {
        Assert.Equal(new SamplingOptions(), SamplingOptions.FromGenerationConfig(null));
        Assert.Equal(new SamplingOptions(), SamplingOptions.FromGenerationConfig(new GenerationConfig()));
    }

    [Fact]
    public void FromGenerationConfig_EverythingRecommended_IsTakenOver()
    {
        var recommended = new GenerationConfig
        {
            Temperature = 0.6f,
            TopK = 20,
            TopP = 0.95f,
            RepetitionPenalty = 1.05f,
            DoSample = true,
        };

        SamplingOptions options = SamplingOptions.FromGenerationConfig(recommended);

        Assert.Equal((0.6f, 20, 0.95f, 1.05f), (options.Temperature, options.TopK, options.TopP, options.RepetitionPenalty));
    }

    [Fact]
    public void FromGenerationConfig_SamplingNotRecommended_IsGreedy() =>
        Assert.True(SamplingOptions.FromGenerationConfig(new GenerationConfig { Temperature = 0.6f, DoSample = false }).IsGreedy);

    private static SamplingOptions With(string property, float value) => property switch
    {
        nameof(SamplingOptions.Temperature) => new() { Temperature = value },
        nameof(SamplingOptions.TopK) => new() { TopK = (int)value },
        nameof(SamplingOptions.TopP) => new() { TopP = value },
        nameof(SamplingOptions.MinP) => new() { MinP = value },
        nameof(SamplingOptions.RepetitionPenalty) => new() { RepetitionPenalty = value },
        nameof(SamplingOptions.FrequencyPenalty) => new() { FrequencyPenalty = value },
        nameof(SamplingOptions.PresencePenalty) => new() { PresencePenalty = value },
        _ => throw new ArgumentOutOfRangeException(nameof(property), property, "unknown"),
    };
}
