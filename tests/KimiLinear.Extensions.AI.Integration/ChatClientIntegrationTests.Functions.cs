using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>Functions that the model calls and middleware runs.</content>
public sealed partial class ChatClientIntegrationTests
{
    private const int Secret = 42;

    [Fact]
    public Task FunctionInvocation_AutomaticallyInvokeFunction_Parameterless() => RunAsync(
        Need.Knowledge,
        create => InvokeAsync(
            create, "What is the secret number?", AIFunctionFactory.Create(() => Secret, "GetSecretNumber"), "42"),
        Call("GetSecretNumber", "{}"),
        "The secret number is 42.");

    [Fact]
    public Task FunctionInvocation_AutomaticallyInvokeFunction_WithParameters_NonStreaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = new FunctionInvokingChatClient(create());

            ChatResponse response = await client.GetResponseAsync(
                "What is SecretComputation of 42 and 84?", new() { Tools = [Computation()] }, Cancellation);

            Assert.Contains("3528", response.Text, StringComparison.Ordinal);
        },
        Call("SecretComputation", "{\"a\": 42, \"b\": 84}"),
        "It is 3528.");

    [Fact]
    public Task FunctionInvocation_AutomaticallyInvokeFunction_WithParameters_Streaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = new FunctionInvokingChatClient(create());

            string text = await ReadAsync(
                client, [new(ChatRole.User, "What is SecretComputation of 42 and 84?")], new() { Tools = [Computation()] });

            Assert.Contains("3528", text, StringComparison.Ordinal);
        },
        Call("SecretComputation", "{\"a\": 42, \"b\": 84}"),
        "It is 3528.");

    [Fact]
    public Task FunctionInvocation_OptionalParameter() => RunAsync(
        Need.Knowledge,
        create => InvokeAsync(
            create,
            "What is the secret number of id foo?",
            AIFunctionFactory.Create((string id = "none") => id == "foo" ? Secret : -1, "GetSecretNumberById"),
            "42"),
        Call("GetSecretNumberById", "{\"id\": \"foo\"}"),
        "The secret number of foo is 42.");

    [Fact]
    public Task FunctionInvocation_NestedParameters() => RunAsync(
        Need.Knowledge,
        create => InvokeAsync(
            create,
            "What is the secret number of John, who is 19?",
            AIFunctionFactory.Create(
                (Named person) => person.Name == "John" ? Secret + person.Age : -1, "GetSecretNumberByPerson"),
            "61"),
        Call("GetSecretNumberByPerson", "{\"person\": {\"name\": \"John\", \"age\": 19}}"),
        "The secret number of John is 61.");

    [Fact]
    public Task FunctionInvocation_ArrayParameter() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            string? shopper = null;
            List<string> cart = [];
            AIFunction add = AIFunctionFactory.Create(
                (string[] items, string shopperId) =>
                {
                    cart.AddRange(items);
                    shopper = shopperId;
                },
                "AddItemsToShoppingCart");

            await InvokeAsync(create, "Put bacon, lettuce and tomatoes into Peter's cart.", add, "");

            Assert.Equal("Peter", shopper);
            Assert.Equal(["bacon", "lettuce", "tomatoes"], cart);
        },
        Call("AddItemsToShoppingCart", "{\"items\": [\"bacon\", \"lettuce\", \"tomatoes\"], \"shopperId\": \"Peter\"}"),
        "Done.");

    [Fact]
    public Task FunctionInvocation_SupportsMultipleParallelRequests() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = new FunctionInvokingChatClient(create());
            AIFunction age = AIFunctionFactory.Create(
                (string personName) => personName switch { "Elsa" => 21, "Anna" => 18, _ => 30 }, "GetPersonAge");

            ChatResponse response = await client.GetResponseAsync(
                "By how many years is Elsa older than Anna? Say the number only.", new() { Tools = [age] }, Cancellation);

            Assert.Matches(new Regex(@"\b(3|three)\b", RegexOptions.IgnoreCase), response.Text);
        },
        Written2("GetPersonAge", "{\"personName\": \"Elsa\"}", "{\"personName\": \"Anna\"}"),
        "3");

    [Fact]
    public Task FunctionInvocation_RequireAny() => RunAsync(Need.Constraint, async create =>
    {
        int calls = 0;
        using IChatClient client = new FunctionInvokingChatClient(create());
        AIFunction secret = AIFunctionFactory.Create(() => ++calls, "GetSecretNumber");

        await client.GetResponseAsync(
            "Do birds exist?", new() { Tools = [secret], ToolMode = ChatToolMode.RequireAny }, Cancellation);

        Assert.True(calls >= 1);
    });

    [Fact]
    public Task FunctionInvocation_RequireSpecific() => RunAsync(Need.Constraint, async create =>
    {
        bool areUp = false;
        using IChatClient client = new FunctionInvokingChatClient(create());
        AIFunction secret = AIFunctionFactory.Create(() => Secret, "GetSecretNumber");
        AIFunction shields = AIFunctionFactory.Create(() => areUp = true, "ShieldsUp");

        // Nothing in the question asks for it.
        await client.GetResponseAsync(
            "What is the secret number?",
            new() { Tools = [secret, shields], ToolMode = ChatToolMode.RequireSpecific(shields.Name) },
            Cancellation);

        Assert.True(areUp);
    });

    private static AIFunction Computation() => AIFunctionFactory.Create((int a, int b) => a * b, "SecretComputation");

    private static string Written2(string name, string first, string second) =>
        Tests.Written.Calls(($"functions.{name}:0", first), ($"functions.{name}:1", second));

    // The function's result must reach the answer, and usage the telemetry.
    private static async Task InvokeAsync(Func<IChatClient> create, string question, AIFunction function, string expected)
    {
        using CollectedSpans spans = new();
        using IChatClient client = new FunctionInvokingChatClient(
            new OpenTelemetryChatClient(create(), sourceName: spans.Source));

        ChatResponse response = await client.GetResponseAsync(question, new() { Tools = [function] }, Cancellation);

        Assert.Contains(expected, response.Text, StringComparison.Ordinal);
        spans.RequireTwice(response.Usage);
    }

    private sealed record Named(string Name, int Age = Secret);
}
