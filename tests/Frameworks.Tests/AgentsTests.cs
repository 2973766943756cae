using Xunit;

namespace Frameworks.Tests;

public sealed class AgentsTests
{
    [Fact]
    public async Task Run_QuestionsForTools_CallsThemAndAnswersFromTheirResults()
    {
        (string[] output, string[] errors) = await SampleProcess.RunAsync("Agents");

        Assert.Equal(
            [
                "> What is the weather in Paris?",
                "  get_weather(city: Paris)",
                "The weather in Paris is sunny with 18 degrees.",
                "> Add 17 and 25.",
                "  add(a: 17, b: 25)",
                "The result is 42.",
            ],
            output);
        Assert.Empty(errors);
    }

    [Fact]
    public async Task Run_QuestionThatFollowsUp_IsUnderstoodFromTheSession()
    {
        (string[] output, _) = await SampleProcess.RunAsync("Agents", "What is the weather in Oslo?", "And in Paris?");

        Assert.Equal("The weather in Paris is sunny with 18 degrees.", output[^1]);
    }
}
