using System.Text.Json;
using KimiLinear.Configuration;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>What may be left out of account is refused, logged or dropped, as the client's options say.</summary>
public sealed class UnsupportedOptionTests(TinyModel tiny)
{
    private static JsonElement Schema { get; } = JsonElement.Parse(
        """{"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true, "maxItems": 2}}}""");

    public static TheoryData<string> Names() =>
        ["Reasoning", "AllowBackgroundResponses", "Tools", "the schema", "the schema of a tool"];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task GetResponseAsync_Throw_RefusesByName(string name)
    {
        using KimiLinearChatClient client = Create(UnsupportedOptionBehavior.Throw, new RecordingLogger());

        NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(
            () => client.GetResponseAsync("Hello!", Options(name)));

        Assert.StartsWith(name.StartsWith("the schema", StringComparison.Ordinal) ? "the schema" : name, exception.Message, StringComparison.Ordinal);
        Assert.Contains("Log or Ignore", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task GetResponseAsync_Log_AnswersAndSaysSo(string name)
    {
        RecordingLogger logger = new();
        using KimiLinearChatClient client = Create(UnsupportedOptionBehavior.Log, logger);

        await client.GetResponseAsync("Hello!", Options(name), TestContext.Current.CancellationToken);

        Assert.Contains(logger.Lines, message => message.Contains("is left out of account", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task GetResponseAsync_Ignore_AnswersInSilence(string name)
    {
        RecordingLogger logger = new();
        using KimiLinearChatClient client = Create(UnsupportedOptionBehavior.Ignore, logger);

        await client.GetResponseAsync("Hello!", Options(name), TestContext.Current.CancellationToken);

        Assert.Empty(logger.Lines);
    }

    [Theory]
    [InlineData("the schema", false, true)]
    [InlineData("the schema", true, false)]
    [InlineData("the schema of a tool", false, true)]
    [InlineData("the schema of a tool", true, false)]
    public async Task GetResponseAsync_ThrowAndSchemaThatIsAWish_AnswersAndSaysSo(string name, bool isStrict, bool isAnswered)
    {
        RecordingLogger logger = new();
        using KimiLinearChatClient client = Create(UnsupportedOptionBehavior.Throw, logger);
        ChatOptions options = Options(name);
        if (options.Tools is [AIFunctionDeclaration tool])
        {
            options.Tools = [new StrictTool(tool, isStrict)];
            // It is the tool's own word that counts.
            isStrict = !isStrict;
        }

        options.AdditionalProperties = new() { [KimiLinearChatClient.StrictProperty] = isStrict };

        Exception? exception = await Record.ExceptionAsync(
            () => client.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken));

        Assert.Equal(isAnswered, exception is null);
        Assert.Equal(isAnswered, logger.Lines.Any(message => message.Contains("'uniqueItems' at", StringComparison.Ordinal)));
    }

    // Places of the second tool's schema begin with the first one's name and "#".
    [Theory]
    [InlineData("tool#more", true, false)]
    [InlineData("tool#more", false, true)]
    [InlineData("tool#/properties", true, false)]
    [InlineData("tool#/properties", false, true)]
    public async Task GetResponseAsync_ThrowAndToolNamedLikeAWish_IsItsOwnJudge(string second, bool isStrict, bool isAnswered)
    {
        using KimiLinearChatClient client = Create(UnsupportedOptionBehavior.Throw, new RecordingLogger());
        ChatOptions options = Options("the schema of a tool");
        options.Tools =
        [
            new StrictTool((AIFunctionDeclaration)options.Tools![0], isStrict: false),
            new StrictTool(AIFunctionFactory.CreateDeclaration(second, "Another", Schema), isStrict),
        ];

        Exception? exception = await Record.ExceptionAsync(
            () => client.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken));

        Assert.Equal(isAnswered, exception is null);
        Assert.True(isAnswered || exception is NotSupportedException, $"{exception}");
    }

    private static ChatOptions Options(string name)
    {
        return name switch
        {
            "Reasoning" => new() { MaxOutputTokens = 5, Reasoning = new ReasoningOptions { Effort = ReasoningEffort.High } },
            "AllowBackgroundResponses" => new() { MaxOutputTokens = 5, AllowBackgroundResponses = true },
            "Tools" => new() { MaxOutputTokens = 5, Tools = [new HostedWebSearchTool()] },
            "the schema" => new() { MaxOutputTokens = 5, ResponseFormat = ChatResponseFormat.ForJsonSchema(Schema) },
            _ => new() { MaxOutputTokens = 5, Tools = [AIFunctionFactory.CreateDeclaration("tool", "A tool", Schema)] },
        };
    }

    private KimiLinearChatClient Create(UnsupportedOptionBehavior behavior, RecordingLogger logger) => new(
        tiny.Model,
        tiny.Tokenizer,
        GenerationConfig.Load(TinyModel.Folder),
        new KimiLinearChatClientOptions { UnsupportedOptionBehavior = behavior },
        logger);

    private sealed class StrictTool(AIFunctionDeclaration tool, bool isStrict) : AIFunctionDeclaration
    {
        public override string Name => tool.Name;

        public override string Description => tool.Description;

        public override JsonElement JsonSchema => tool.JsonSchema;

        public override IReadOnlyDictionary<string, object?> AdditionalProperties { get; } =
            new Dictionary<string, object?> { [KimiLinearChatClient.StrictProperty] = isStrict };
    }
}
