using System.Text.Json;
using KimiLinear.Sampling;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>Refuses, logs or drops what a request asks for and cannot have, as the client's options say.</summary>
internal sealed partial class UnsupportedOptions(UnsupportedOptionBehavior behavior, ILogger? logger)
{
    /// <summary>Whether the request is refused.</summary>
    public bool Throws => behavior == UnsupportedOptionBehavior.Throw;

    /// <summary>Looks for what no reply of this client can honour, and what may be left out.</summary>
    /// <exception cref="InvalidOperationException">Another model is asked for.</exception>
    /// <exception cref="NotSupportedException">Something is asked for that must not be left out, or nothing may be.</exception>
    public void Check(ChatOptions? options, string modelId)
    {
        if (options is null)
        {
            return;
        }

        if (options.ModelId is { } requested && !string.Equals(requested, modelId, StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidOperationException(
                $"The request asks for model '{requested}', but this client runs '{modelId}'. "
                + $"Leave {nameof(ChatOptions.ModelId)} unset, or use that name.");
        }

        if (options.ContinuationToken is not null)
        {
            throw new NotSupportedException(
                $"{nameof(ChatOptions.ContinuationToken)} is set, but replies of this client cannot be continued. "
                + "Send the conversation instead.");
        }

        if (options.Reasoning?.Effort is { } effort and not ReasoningEffort.None)
        {
            Report(nameof(ChatOptions.Reasoning), $"effort {effort} is asked for, but the model does not reason before it answers");
        }

        if (options.AllowBackgroundResponses == true)
        {
            Report(nameof(ChatOptions.AllowBackgroundResponses), "replies are never computed in the background");
        }

        foreach (AITool tool in options.Tools ?? [])
        {
            if (tool is not AIFunctionDeclaration)
            {
                Report(
                    nameof(ChatOptions.Tools),
                    $"it holds a {tool?.GetType().Name ?? "null"} ('{tool?.Name}'), but only functions can be declared to the model");
            }
        }
    }

    /// <summary>Tells what of the schemas a reply may violate.</summary>
    /// <exception cref="NotSupportedException">There is something, and the request is refused for it.</exception>
    public void Check(ReplyGrammar? grammar, ChatOptions? options)
    {
        if (grammar is not { UnenforcedKeywords.Count: > 0 })
        {
            return;
        }

        // The schema of the reply has no name.
        (string Name, bool IsWish)[] schemas =
        [
            ("", IsWish(options?.AdditionalProperties)),
            .. (options?.Tools ?? []).OfType<AITool>().Select(tool => (tool.Name, IsWish(tool.AdditionalProperties))),
        ];
        foreach (UnenforcedKeyword keyword in grammar.UnenforcedKeywords)
        {
            Report(
                "the schema",
                $"'{keyword.Keyword}' at '{keyword.Place}' cannot be enforced: {keyword.Reason}",
                isWish: Array.FindAll(schemas, schema => IsPlaceIn(schema.Name, keyword.Place)) is { Length: > 0 } owners
                    && Array.TrueForAll(owners, owner => owner.IsWish));
        }
    }

    // Places begin with the name of the tool whose schema it is, and a pointer follows: "#" or "#/...". A name may hold such too.
    private static bool IsPlaceIn(string name, string place) =>
        place.StartsWith($"{name}#", StringComparison.Ordinal)
        && (place.Length == name.Length + 1 || place[name.Length + 1] == '/');

    private static bool IsWish(IReadOnlyDictionary<string, object?>? properties) =>
        properties is not null && properties.TryGetValue(KimiLinearChatClient.StrictProperty, out object? value)
        && value is false or JsonElement { ValueKind: JsonValueKind.False };

    private void Report(string option, string reason, bool isWish = false)
    {
        switch (behavior)
        {
            case UnsupportedOptionBehavior.Throw when !isWish:
                throw new NotSupportedException(
                    $"{option} cannot be honoured: {reason}. Leave it out, or set "
                    + $"{nameof(KimiLinearChatClientOptions.UnsupportedOptionBehavior)} to Log or Ignore.");
            case not UnsupportedOptionBehavior.Ignore when logger is not null:
                LogLeftOut(logger, option, reason);
                break;
        }
    }

    [LoggerMessage(6, LogLevel.Warning, "{Option} is left out of account: {Reason}.")]
    private static partial void LogLeftOut(ILogger logger, string option, string reason);
}
