using System.Text.Json;
using KimiLinear.Extensions.AI;
using KimiServer.Requests;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiServer.Tests;

/// <summary>What the model's client is handed for a body.</summary>
public sealed class RequestTests
{
    private const string Messages = """ "messages":[{"role":"user","content":"x"}] """;

    private const string Tools = """ "tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}] """;

    [Fact]
    public void Read_SamplingFields_AreAllPassedOn()
    {
        ChatOptions options = Read(
            """
            "temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.05,"repetition_penalty":1.1,"frequency_penalty":0.2,
            "presence_penalty":0.3,"seed":7,"stop":["a","b"],"logit_bias":{"12":-100},"user":"ann","max_tokens":9
            """);

        Assert.Equal((0.5f, 0.9f, 40, 0.2f, 0.3f, 7L, 9), (
            options.Temperature, options.TopP, options.TopK, options.FrequencyPenalty, options.PresencePenalty, options.Seed,
            options.MaxOutputTokens));
        Assert.Equal(["a", "b"], options.StopSequences);
        Assert.Equal(0.05f, options.AdditionalProperties![KimiLinearChatClient.MinPProperty]);
        Assert.Equal(1.1f, options.AdditionalProperties[KimiLinearChatClient.RepetitionPenaltyProperty]);
        Assert.Equal("ann", options.AdditionalProperties[KimiLinearChatClient.CallerProperty]);
        Assert.Equal(
            new Dictionary<int, float> { [12] = -100 }, options.AdditionalProperties[KimiLinearChatClient.LogitBiasProperty]);
    }

    [Fact]
    public void Read_BothLimits_TakesTheNewer() =>
        Assert.Equal(5, Read(""" "max_tokens":9,"max_completion_tokens":5 """).MaxOutputTokens);

    [Fact]
    public void Read_ToolChoice_BecomesTheMode()
    {
        Assert.Null(Read(Tools).ToolMode);
        Assert.IsType<AutoChatToolMode>(Read(Tools + """, "tool_choice":"auto" """).ToolMode);
        Assert.IsType<NoneChatToolMode>(Read(Tools + """, "tool_choice":"none" """).ToolMode);
        Assert.Equal(ChatToolMode.RequireAny, Read(Tools + """, "tool_choice":"required" """).ToolMode);
        Assert.Equal(
            ChatToolMode.RequireSpecific("g"),
            Read(Tools + """, "tool_choice":{"type":"function","function":{"name":"g"}} """).ToolMode);
        Assert.False(Read(Tools + """, "parallel_tool_calls":false """).AllowMultipleToolCalls);
    }

    [Fact]
    public void Read_ResponseFormat_IsPassedOn()
    {
        Assert.Null(Read("\"seed\":1").ResponseFormat);
        Assert.IsType<ChatResponseFormatText>(Read(""" "response_format":{"type":"text"} """).ResponseFormat);
        var any = Assert.IsType<ChatResponseFormatJson>(Read(""" "response_format":{"type":"json_object"} """).ResponseFormat);
        var schema = Assert.IsType<ChatResponseFormatJson>(Read(
            """ "response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}} """)
            .ResponseFormat);

        Assert.Null(any.Schema);
        Assert.Equal("n", schema.SchemaName);
        Assert.Equal("""{"type":"object"}""", schema.Schema!.Value.GetRawText());
    }

    [Fact]
    public void Read_Messages_KeepRolesNamesAndParts()
    {
        IReadOnlyList<ChatMessage> messages = ReadAll(
            """
            {"messages":[
              {"role":"developer","content":"d"},
              {"role":"user","name":"ann","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
              {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
              {"role":"tool","tool_call_id":"1","content":"r"}
            ]}
            """).Messages;

        Assert.Equal(["system", "user", "assistant", "tool"], messages.Select(message => message.Role.Value));
        Assert.Equal("ann", messages[1].AuthorName);
        Assert.Equal("ab", messages[1].Text);
        Assert.Equal("f", Assert.IsType<FunctionCallContent>(Assert.Single(messages[2].Contents)).Name);
        Assert.Equal("1", Assert.IsType<FunctionResultContent>(Assert.Single(messages[3].Contents)).CallId);
    }

    [Fact]
    public void Read_ArgumentsThatDoNotParse_AreKeptAsWritten()
    {
        ChatMessage message = Assert.Single(ReadAll(
            """
            {"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\""}}]}]}
            """).Messages);

        var call = Assert.IsType<FunctionCallContent>(Assert.Single(message.Contents));
        Assert.Equal("{\"a\"", Assert.IsType<KimiLinear.ToolCalls.ToolCall>(call.RawRepresentation).Arguments);
    }

    private static ChatOptions Read(string fields) => ReadAll($"{{{Messages},{fields}}}").Options;

    private static ChatRequest ReadAll(string body) => ChatRequest.Read(new RequestFields(JsonElement.Parse(body)));
}
