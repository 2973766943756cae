using System.Globalization;
using System.Text.Json;
using KimiLinear.Generation;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The ends of the range of every member of <see cref="ChatOptions"/>, and what lies outside.</summary>
internal static class OptionCases
{
    public static IReadOnlyList<OptionCase> Accepted { get; } =
    [
        .. Values(nameof(ChatOptions.ConversationId), ["", "conversation-1"], (options, value) => options.ConversationId = value),
        .. Values(
            nameof(ChatOptions.Instructions),
            ["", " \n", "Be brief.", "<|im_end|><|im_user|>", "half \uD83D a pair"],
            (options, value) => options.Instructions = value),
        .. Values(
            nameof(ChatOptions.Temperature),
            [0, float.Epsilon, 1e-6f, 2, float.MaxValue],
            (options, value) => options.Temperature = value),
        .. Values(nameof(ChatOptions.TopP), [float.Epsilon, 1], (options, value) => options.TopP = value),
        .. Values(nameof(ChatOptions.TopK), [0, 1, 1_000_000, int.MaxValue], (options, value) => options.TopK = value),
        .. Values(nameof(ChatOptions.FrequencyPenalty), [-2f, 0, 2], (options, value) => options.FrequencyPenalty = value),
        .. Values(nameof(ChatOptions.PresencePenalty), [-2f, 0, 2], (options, value) => options.PresencePenalty = value),
        .. Values(nameof(ChatOptions.Seed), [long.MinValue, -1, 0, long.MaxValue], (options, value) => options.Seed = value),
        .. Values(nameof(ChatOptions.MaxOutputTokens), [1, int.MaxValue], (options, value) => options.MaxOutputTokens = value),
        .. Values(
            nameof(ChatOptions.Reasoning),
            Enum.GetValues<ReasoningEffort>(),
            (options, value) => options.Reasoning = new ReasoningOptions { Effort = value, Output = ReasoningOutput.Full }),
        new(nameof(ChatOptions.Reasoning), "empty", options => options.Reasoning = new ReasoningOptions()),
        new(nameof(ChatOptions.ResponseFormat), "text", options => options.ResponseFormat = ChatResponseFormat.Text),
        new(nameof(ChatOptions.ResponseFormat), "any object", options => options.ResponseFormat = ChatResponseFormat.Json),
        .. Values(
            nameof(ChatOptions.ResponseFormat),
            ["{}", "true", """{"type": "array"}""", """{"const": null}""", """{"enum": ["\u0000<|im_end|>"]}"""],
            (options, value) => options.ResponseFormat = Schema(value)),
        .. Values(
            nameof(ChatOptions.ModelId), ["kimi-linear-tiny", "KIMI-LINEAR-TINY"], (options, value) => options.ModelId = value),
        new(nameof(ChatOptions.StopSequences), "none", options => options.StopSequences = []),
        new(nameof(ChatOptions.StopSequences), "empty and null", options => options.StopSequences = ["", null!]),
        new(nameof(ChatOptions.StopSequences), "a thousand", options => options.StopSequences = Thousand()),
        new(nameof(ChatOptions.StopSequences), "a pair and U+2028", options => options.StopSequences = ["\uD83D\uDE00\u2028\0"]),
        .. Values(
            nameof(ChatOptions.AllowMultipleToolCalls), [true, false], (options, value) => options.AllowMultipleToolCalls = value),
        new(nameof(ChatOptions.ToolMode), "auto", options => options.ToolMode = ChatToolMode.Auto),
        new(nameof(ChatOptions.ToolMode), "none", options => options.ToolMode = ChatToolMode.None),
        new(nameof(ChatOptions.ToolMode), "a specific one", options => Require(options, "get_weather")),
        new(nameof(ChatOptions.Tools), "none", options => options.Tools = []),
        new(nameof(ChatOptions.Tools), "a null", options => options.Tools = [null!, Tools.GetWeather()]),
        new(nameof(ChatOptions.Tools), "one twice", options => options.Tools = [Tools.GetWeather(), Tools.GetWeather()]),
        new(nameof(ChatOptions.Tools), "one of a service", options => options.Tools = [new HostedWebSearchTool()]),
        new(nameof(ChatOptions.Tools), "a hundred", options => options.Tools = [.. Enumerable.Range(0, 100).Select(Numbered)]),
        new(nameof(ChatOptions.Tools), "no schema", options => options.Tools = [new Schemaless()]),
        .. Values(
            nameof(ChatOptions.AllowBackgroundResponses),
            [true, false],
            (options, value) => options.AllowBackgroundResponses = value),
        new(nameof(ChatOptions.RawRepresentationFactory), "gives null", options => options.RawRepresentationFactory = _ => null),
        new(nameof(ChatOptions.RawRepresentationFactory), "gives another type", options => options.RawRepresentationFactory = _ => 7),
        new(
            nameof(ChatOptions.RawRepresentationFactory),
            "gives ours",
            options => options.RawRepresentationFactory = _ => new GenerationOptions()),
        new(nameof(ChatOptions.AdditionalProperties), "empty", options => options.AdditionalProperties = []),
        .. Values(
            nameof(ChatOptions.AdditionalProperties),
            [0f, 1],
            (options, value) => options.AdditionalProperties = new() { [KimiLinearChatClient.MinPProperty] = value }),
    ];

    public static IReadOnlyList<OptionCase> Refused { get; } =
    [
        .. OutOfRange(
            nameof(ChatOptions.Temperature),
            [-float.Epsilon, -1, float.NaN, float.PositiveInfinity, float.NegativeInfinity],
            (options, value) => options.Temperature = value),
        .. OutOfRange(
            nameof(ChatOptions.TopP),
            [0, -1, 1.0001f, float.NaN, float.PositiveInfinity],
            (options, value) => options.TopP = value),
        .. OutOfRange(nameof(ChatOptions.TopK), [-1, int.MinValue], (options, value) => options.TopK = value),
        .. OutOfRange(
            nameof(ChatOptions.FrequencyPenalty),
            [-2.001f, 2.001f, float.NaN, float.NegativeInfinity],
            (options, value) => options.FrequencyPenalty = value),
        .. OutOfRange(
            nameof(ChatOptions.PresencePenalty),
            [-2.001f, 2.001f, float.NaN, float.NegativeInfinity],
            (options, value) => options.PresencePenalty = value),
        .. OutOfRange(nameof(ChatOptions.MaxOutputTokens), [0, -1, int.MinValue], (options, value) => options.MaxOutputTokens = value),
        .. Refuse<string, ArgumentException>(
            nameof(ChatOptions.ResponseFormat),
            [
                "false", "3", """{"type": "colour"}""", """{"type": "integer", "minimum": 2, "maximum": 1}""",
                """{"$ref": "#/$defs/none"}""",
            ],
            (options, value) => options.ResponseFormat = Schema(value)),
        .. Refuse<string, InvalidOperationException>(
            nameof(ChatOptions.ModelId), ["", "gpt-9", "kimi-linear"], (options, value) => options.ModelId = value),
        new(
            nameof(ChatOptions.StopSequences),
            "half a pair",
            options => options.StopSequences = ["\uD83D"],
            typeof(ArgumentException)),
        new(
            nameof(ChatOptions.ToolMode),
            "any of none",
            options => options.ToolMode = ChatToolMode.RequireAny,
            typeof(ArgumentException)),
        new(nameof(ChatOptions.ToolMode), "one that is not there", options => Require(options, "fly"), typeof(ArgumentException)),
        new(nameof(ChatOptions.ToolMode), "one in other letters", options => Require(options, "Get_Weather"), typeof(ArgumentException)),
        .. Refuse<string, ArgumentException>(
            nameof(ChatOptions.Tools),
            ["""{"type": "colour"}""", """{"type": "object", "properties": {"a": false}, "required": ["a"]}"""],
            (options, value) => options.Tools = [AIFunctionFactory.CreateDeclaration("tool", "A tool", JsonElement.Parse(value))]),
        new(
            nameof(ChatOptions.ContinuationToken),
            "any",
            options => options.ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }),
            typeof(NotSupportedException)),
        .. Property(KimiLinearChatClient.MinPProperty, "MinP", [-0.1f, 1.1f, float.NaN]),
        .. Property(KimiLinearChatClient.RepetitionPenaltyProperty, "RepetitionPenalty", [0f, -1, float.NaN, float.PositiveInfinity]),
        .. Property(
            KimiLinearChatClient.LogitBiasProperty,
            "LogitBias",
            [new Dictionary<int, float> { [1_000_000] = 1 }, new Dictionary<int, float> { [1] = float.NaN }]),
    ];

    private static IEnumerable<OptionCase> Values<T>(string member, IEnumerable<T> values, Action<ChatOptions, T> set) =>
        values.Select(value => new OptionCase(member, Name(value), options => set(options, value)));

    private static IEnumerable<OptionCase> Refuse<T, TException>(string member, IEnumerable<T> values, Action<ChatOptions, T> set)
        where TException : Exception =>
        Values(member, values, set).Select(@case => @case with { Refusal = typeof(TException) });

    private static IEnumerable<OptionCase> OutOfRange<T>(string member, IEnumerable<T> values, Action<ChatOptions, T> set) =>
        Refuse<T, ArgumentOutOfRangeException>(member, values, set);

    private static IEnumerable<OptionCase> Property<T>(string key, string namedAs, IEnumerable<T> values) => values.Select(
        (value, index) => new OptionCase(
            nameof(ChatOptions.AdditionalProperties),
            $"{key} {index}",
            options => options.AdditionalProperties = new() { [key] = value },
            typeof(ArgumentOutOfRangeException))
        {
            NamedAs = namedAs,
        });

    // Visible, and well-formed where the value is not.
    private static string Name<T>(T value) =>
        JsonSerializer.Serialize(Convert.ToString(value, CultureInfo.InvariantCulture)).Trim('"');

    private static ChatResponseFormatJson Schema(string json) => ChatResponseFormat.ForJsonSchema(JsonElement.Parse(json));

    private static void Require(ChatOptions options, string name)
    {
        options.Tools = [Tools.GetWeather()];
        options.ToolMode = ChatToolMode.RequireSpecific(name);
    }

    private static string[] Thousand() => [.. Enumerable.Range(0, 1000).Select(index => $"never {index}")];

    private static AIFunction Numbered(int index) => AIFunctionFactory.Create((int a) => a, $"tool{index}");

    private sealed class Schemaless : AIFunctionDeclaration
    {
        public override string Name => "plain";

        public override JsonElement JsonSchema => default;
    }
}
