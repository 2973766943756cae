using Xunit;

namespace Frameworks.Tests;

public sealed class SemanticKernelTests
{
    [Theory]
    [InlineData("Paris", "Weather { Temperature = 18, Condition = sunny }", "The weather in Paris is sunny with 18 degrees.")]
    [InlineData("Oslo", "Weather { Temperature = 3, Condition = foggy }", "The weather in Oslo is foggy with 3 degrees.")]
    public async Task Run_QuestionForAPlugin_CallsItAndAnswersFromItsResult(string city, string result, string answer)
    {
        (string[] output, string[] errors) = await SampleProcess.RunAsync("SemanticKernel", $"What is the weather in {city}?");

        Assert.Equal([$"  city.get_weather(city: {city}) → {result}"], errors);
        Assert.Equal([answer], output);
    }

    [Fact]
    public async Task Run_QuestionForNoPlugin_IsAnswered()
    {
        (string[] output, string[] errors) = await SampleProcess.RunAsync("SemanticKernel", "What is the capital of France?");

        Assert.Empty(errors);
        Assert.Equal(["The capital of France is Paris."], output);
    }
}
