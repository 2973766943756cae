using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.Sampling;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI;

/// <summary>Turns response format, tools and tool mode into what the reply is held to.</summary>
internal static class ReplyGrammars
{
    /// <summary>Makes the grammar of the reply, or none where it is free text.</summary>
    /// <param name="options">The request's options.</param>
    /// <param name="tools">The functions that may be called; empty if none may.</param>
    /// <param name="history">The conversation, for the numbers of new calls.</param>
    /// <param name="constrainsArguments">Whether calls are held to their schemas where none is required.</param>
    /// <param name="schemaOptions">How schemas are compiled.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ArgumentException">A call of no tool, or of an unknown one, is required; or a schema is malformed.</exception>
    public static ReplyGrammar? Create(
        ChatOptions? options,
        IReadOnlyList<ToolDeclaration> tools,
        IReadOnlyList<ChatTurn> history,
        bool constrainsArguments,
        JsonGrammarOptions schemaOptions,
        CancellationToken cancellationToken)
    {
        ToolCallGrammarOptions form = new() { Arguments = schemaOptions };
        if (options?.ToolMode is RequiredChatToolMode required)
        {
            return Calls(Required(required, tools), history, options, form with { IsCallRequired = true }, cancellationToken);
        }

        JsonGrammar? json = options?.ResponseFormat is ChatResponseFormatJson format
            ? Compile(format, schemaOptions, cancellationToken)
            : null;
        if (tools.Count > 0 && (json is not null || constrainsArguments))
        {
            return Calls(tools, history, options, form with { Otherwise = json }, cancellationToken);
        }

        return json is null ? null : ReplyGrammar.Json(json);
    }

    /// <summary>What the model is told of the form its reply is held to, or null: a reply is better when it knows.</summary>
    public static string? Instruction(ChatOptions? options)
    {
        if (options?.ResponseFormat is not ChatResponseFormatJson format)
        {
            return null;
        }

        if (format.Schema is not { } schema)
        {
            return "Reply with a JSON object and nothing else.";
        }

        string description = string.IsNullOrWhiteSpace(format.SchemaDescription) ? "" : $" It is: {format.SchemaDescription}";
        return $"Reply with JSON that fits this schema, and nothing else.{description}\n{SpacedJson.Write(schema)}";
    }

    private static ReplyGrammar Calls(
        IReadOnlyList<ToolDeclaration> tools,
        IReadOnlyList<ChatTurn> history,
        ChatOptions? options,
        ToolCallGrammarOptions form,
        CancellationToken cancellationToken)
    {
        try
        {
            ToolCallGrammarOptions complete = form with
            {
                AllowSeveral = options?.AllowMultipleToolCalls != false,
                FirstIndex = CallNumbering.NextCallIndex(history),
            };
            return ToolCallGrammar.Create(tools, complete, cancellationToken);
        }
        catch (JsonException exception)
        {
            throw new ArgumentException($"{nameof(ChatOptions.Tools)}: {exception.Message}", exception);
        }
    }

    private static IReadOnlyList<ToolDeclaration> Required(RequiredChatToolMode mode, IReadOnlyList<ToolDeclaration> tools)
    {
        if (tools.Count == 0)
        {
            throw new ArgumentException(
                $"{nameof(ChatOptions.ToolMode)} requires a call, but {nameof(ChatOptions.Tools)} holds no function.");
        }

        if (mode.RequiredFunctionName is not { } name)
        {
            return tools;
        }

        return tools.FirstOrDefault(tool => tool.Name == name) is { } found
            ? [found]
            : throw new ArgumentException(
                $"{nameof(ChatOptions.ToolMode)} requires a call of '{name}', but {nameof(ChatOptions.Tools)} holds "
                + $"{string.Join(", ", tools.Select(tool => tool.Name))}.");
    }

    private static JsonGrammar Compile(
        ChatResponseFormatJson format, JsonGrammarOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return format.Schema is { } schema
                ? JsonGrammar.Compile(schema, options, cancellationToken)
                : JsonGrammar.AnyObject;
        }
        catch (JsonException exception)
        {
            throw new ArgumentException($"{nameof(ChatOptions.ResponseFormat)}: {exception.Message}", exception);
        }
    }
}
