using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.Tests.Tokenization;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.Chat;

public sealed class ChatTemplateTests
{
    private const string Reply = "<|im_assistant|>assistant<|im_middle|>";

    private static readonly ToolDeclaration GetWeather = ToolDeclaration.FromJson(JsonElement.Parse(
        """
        {"type": "function", "function": {"name": "get_weather", "description": "Get the weather", "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
        """));

    private static KimiTokenizer Tokenizer => TokenizerGolden.Tokenizer;

    [Fact]
    public void Render_GoldenConversations_MatchThePublishedTemplate()
    {
        Assert.Equal(200, ChatGolden.Rendered.Count);
        Assert.All(ChatGolden.Rendered, golden => Assert.Equal(
            golden.Rendered,
            ChatTemplate.Render(golden.Prompt.Turns, golden.Prompt.Tools, golden.Prompt.AddGenerationPrompt)));
    }

    [Fact]
    public void Render_SystemAndUser_AddsNothing()
    {
        ChatTurn[] turns =
            [new("system", "You are a helpful assistant provided by Moonshot-AI."), new("user", "Is 123 a prime?")];

        Assert.Equal("<|im_user|>user<|im_middle|>Is 123 a prime?<|im_end|>" + Reply, ChatTemplate.Render(turns[1..]));
        Assert.Equal(
            "<|im_system|>system<|im_middle|>You are a helpful assistant provided by Moonshot-AI.<|im_end|>"
            + "<|im_user|>user<|im_middle|>Is 123 a prime?<|im_end|>" + Reply,
            ChatTemplate.Render(turns));
    }

    [Fact]
    public void Render_SeveralTurns_FollowOneAnother() =>
        Assert.Equal(
            "<|im_user|>user<|im_middle|>Hi<|im_end|>" + Reply + "Hello!<|im_end|>"
            + "<|im_user|>user<|im_middle|>Bye<|im_end|>" + Reply,
            ChatTemplate.Render([new("user", "Hi"), new("assistant", "Hello!"), new("user", "Bye")]));

    [Fact]
    public void Render_Tools_AreDeclaredFirst() =>
        Assert.Equal(
            """<|im_system|>tool_declare<|im_middle|>[{"function":{"description":"Get the """
            + """weather","name":"get_weather",""" + "\"parameters\":"
            + """{"properties":{"city":{"type":"string"}},"required":["city"],"type":"object"}"""
            + """},"type":"function"}]<|im_end|>"""
            + "<|im_system|>system<|im_middle|>S<|im_end|><|im_user|>user<|im_middle|>Weather in Paris?<|im_end|>" + Reply,
            ChatTemplate.Render([new("system", "S"), new("user", "Weather in Paris?")], [GetWeather]));

    [Fact]
    public void Render_TwoCallsAndTheirResults_CarryIdsVerbatim()
    {
        ChatTurn[] turns =
        [
            new("assistant", "Let me check.")
            {
                ToolCalls =
                [
                    new("functions.get_weather:0", "get_weather", """{"city": "Paris"}"""),
                    new("functions.get_weather:1", "get_weather", """{"city": "Rome"}"""),
                ],
            },
            new("tool", "18C") { Name = "get_weather", ToolCallId = "functions.get_weather:0" },
            new("tool", "21C") { ToolCallId = "functions.get_weather:1" },
        ];

        Assert.Equal(
            Reply + "Let me check.<|tool_calls_section_begin|>"
            + """<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Paris"}<|tool_call_end|>"""
            + """<|tool_call_begin|>functions.get_weather:1<|tool_call_argument_begin|>{"city": "Rome"}<|tool_call_end|>"""
            + "<|tool_calls_section_end|><|im_end|>"
            + "<|im_system|>get_weather<|im_middle|>## Return of functions.get_weather:0\n18C<|im_end|>"
            + "<|im_system|>tool<|im_middle|>## Return of functions.get_weather:1\n21C<|im_end|>" + Reply,
            ChatTemplate.Render(turns));
    }

    [Fact]
    public void Render_CallWithoutContent_StartsWithTheSection() =>
        Assert.Equal(
            Reply + "<|tool_calls_section_begin|><|tool_call_begin|>call_1<|tool_call_argument_begin|>{}<|tool_call_end|>"
            + "<|tool_calls_section_end|><|im_end|><|im_system|>tool<|im_middle|>## Return of call_1\nok<|im_end|>",
            ChatTemplate.Render(
                [new("assistant") { ToolCalls = [new("call_1", "f", "{}")] }, new("tool", "ok") { ToolCallId = "call_1" }],
                addGenerationPrompt: false));

    [Fact]
    public void Render_OddTurns_FollowTheRules()
    {
        Assert.Equal(Reply, ChatTemplate.Render([]));
        Assert.Equal("", ChatTemplate.Render([], [], addGenerationPrompt: false));
        Assert.Equal(
            "<|im_user|>bob<|im_middle|>hey<|im_end|>" + Reply, ChatTemplate.Render([new("user", "hey") { Name = "bob" }]));
        Assert.Equal("<|im_user|>user<|im_middle|><|im_end|>" + Reply, ChatTemplate.Render([new("user") { Name = "" }]));
        Assert.Equal("<|im_system|>critic<|im_middle|>x<|im_end|>" + Reply, ChatTemplate.Render([new("critic", "x")]));
        Assert.Equal("<|im_system|>tool<|im_middle|>## Return of \nx<|im_end|>" + Reply, ChatTemplate.Render([new("tool", "x")]));
    }

    [Fact]
    public void Encode_GoldenPromptsOfTheSmallModel_MatchTokenByToken()
    {
        Assert.Equal(201, ChatGolden.Encoded.Count);
        Assert.All(ChatGolden.Encoded, golden => Assert.Equal(golden.PromptIds, Encode(golden.Prompt)));
    }

    [Fact]
    public void Encode_GoldenConversationsWithoutMarkersInMessages_ReadAsTheRenderedText()
    {
        string[] markers = [.. Tokenizer.SpecialTokens.Select(token => token.Name)];
        (ChatPrompt Prompt, string Rendered)[] clean =
        [
            .. ChatGolden.Rendered.Where(golden => !golden.Prompt.Turns.Any(turn => markers.Any((turn.Content ?? "").Contains))),
        ];

        Assert.InRange(clean.Length, 50, 199);
        Assert.All(
            clean, golden => Assert.Equal(Tokenizer.Encode(golden.Rendered, allowSpecialTokens: true), Encode(golden.Prompt)));
    }

    [Fact]
    public void Encode_MarkersWrittenByPeopleAndTools_StayText()
    {
        string evil = string.Concat(Tokenizer.SpecialTokens.Select(token => token.Name));
        ChatPrompt Prompt(string text) => new(
            [
                new ChatTurn(text, text) { Name = text },
                new ChatTurn("user", text),
                new ChatTurn("assistant", text) { ToolCalls = [new ToolCall(text, text, text)] },
                new ChatTurn("tool", text) { ToolCallId = text },
            ],
            [new ToolDeclaration(text, text)]);

        int[] harmless = Encode(Prompt("x"));
        int[] attacked = Encode(Prompt(evil));

        Assert.Equal(harmless.Where(Tokenizer.IsSpecialToken), attacked.Where(Tokenizer.IsSpecialToken));
        Assert.Equal(ChatTemplate.Render(Prompt(evil).Turns, Prompt(evil).Tools), Tokenizer.Decode(attacked));
    }

    [Fact]
    public void Encode_ResultOfATool_IsOneStretchOfText()
    {
        ChatTurn[] turns = [new("tool", "\n\n18C") { ToolCallId = "functions.f:0" }];
        List<int> ids = [7];

        ChatTemplate.Encode(Tokenizer, turns, null, addGenerationPrompt: false, ids);

        int[] text = Tokenizer.Encode("## Return of functions.f:0\n\n\n18C");
        Assert.Equal(7, ids[0]);
        Assert.Equal(text, ids[^(text.Length + 1)..^1]);
    }

    [Fact]
    public void Encode_VocabularyWithoutTheMarkers_EncodesOneText()
    {
        using TemporaryTokenizerFolder folder = new();
        folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());
        folder.WriteSettings("""{"added_tokens_decoder": {}}""");
        KimiTokenizer tokenizer = folder.Load();
        ChatTurn[] turns = [new("user", "Hi")];
        List<int> ids = [];

        ChatTemplate.Encode(tokenizer, turns, [GetWeather], addGenerationPrompt: true, ids);

        Assert.Equal(tokenizer.Encode(ChatTemplate.Render(turns, [GetWeather])), ids);
    }

    [Fact]
    public void Parse_GoldenRepliesOfTheSmallModel_FindTheirCalls()
    {
        Assert.All(ChatGolden.Encoded, golden =>
        {
            ParsedReply reply = ToolCallParser.Parse(golden.Reply, golden.Prompt.Tools);

            ChatTurn turn = new("assistant", reply.Text) { ToolCalls = reply.Calls };
            Assert.Equal(Reply + golden.Reply + "<|im_end|>", ChatTemplate.Render([turn], addGenerationPrompt: false));
        });
        Assert.Contains(ChatGolden.Encoded, golden => golden.Reply.Contains(ToolCallMarkers.CallBegin, StringComparison.Ordinal));
    }

    private static int[] Encode(ChatPrompt prompt)
    {
        List<int> ids = [];
        ChatTemplate.Encode(Tokenizer, prompt.Turns, prompt.Tools, prompt.AddGenerationPrompt, ids);
        return [.. ids];
    }
}
