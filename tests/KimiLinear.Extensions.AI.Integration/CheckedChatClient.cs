using System.Runtime.CompilerServices;
using System.Text.Json;
using KimiLinear.Extensions.AI.Tests;
using KimiLinear.Tests.Sampling;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Integration;

/// <summary>
/// Counts the requests that reach the model and checks every reply: the rules of streaming, usage, and that JSON and arguments fit
/// their schemas.
/// </summary>
internal sealed class CheckedChatClient(IChatClient inner) : DelegatingChatClient(inner)
{
    private int _callCount;

    /// <summary>The requests so far.</summary>
    public int CallCount => _callCount;

    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _callCount);
        ChatResponse response = await base.GetResponseAsync(messages, options, cancellationToken);
        Require(response.Messages is [{ Role: var role }] && role == ChatRole.Assistant, "A reply is one message of the assistant.");
        Require(response.FinishReason is not null, "A reply says why it ended.");
        Require(response.ConversationId is null, "The client keeps no conversation.");
        Require(response.Usage is { InputTokenCount: > 0, OutputTokenCount: > 0 } usage
            && usage.InputTokenCount + usage.OutputTokenCount == usage.TotalTokenCount, "Usage adds up.");
        RequireFit(response, options);
        return response;
    }

    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _callCount);
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
        {
            updates.Add(update);
            yield return update;
        }

        try
        {
            RequireFit(StreamRules.Check(updates), options);
        }
        catch (Exception exception) when (exception is Xunit.Sdk.IAssertionException)
        {
            throw new BrokenRuleException(exception.Message, exception);
        }
    }

    // A limit may cut a reply; nothing else may.
    private static void RequireFit(ChatResponse response, ChatOptions? options)
    {
        FunctionCallContent[] calls = [.. response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>()];
        foreach (FunctionCallContent call in calls)
        {
            AIFunctionDeclaration? tool = options?.Tools?.OfType<AIFunctionDeclaration>().Single(tool => tool.Name == call.Name);
            JsonElement arguments = JsonSerializer.SerializeToElement(call.Arguments, AIJsonUtilities.DefaultOptions);
            Require(call.Exception is null && SchemaValidator.IsValid(tool!.JsonSchema, arguments), $"{arguments} fits {call.Name}.");
        }

        if (options?.ResponseFormat is ChatResponseFormatJson format
            && calls.Length == 0 && response.FinishReason == ChatFinishReason.Stop)
        {
            JsonElement value = JsonElement.Parse(response.Text);
            Require(
                format.Schema is { } schema ? SchemaValidator.IsValid(schema, value) : value.ValueKind == JsonValueKind.Object,
                $"{value} fits the format.");
        }
    }

    private static void Require(bool holds, string rule)
    {
        if (!holds)
        {
            throw new BrokenRuleException(rule);
        }
    }
}
