using System.Text;
using System.Text.Json;
using KimiLinear.Sampling;

namespace KimiLinear.ToolCalls;

/// <summary>Holds replies to calls of declared tools, with arguments that fit their schemas.</summary>
public static class ToolCallGrammar
{
    // One for all requests: what it learned of a vocabulary serves them all.
    private static readonly ByteGrammar TextWithoutMarkers = new(
        new TextRule(MarkerScanner.Spellings.Select(spelling => Encoding.UTF8.GetBytes(spelling.Text))), depth: 0);

    /// <summary>Makes the grammar of a reply that may or must call tools, in the form the model was trained on.</summary>
    /// <param name="tools">The tools, at least one. The arguments of one without a schema are any object.</param>
    /// <param name="options">What else the reply may be; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Ends the work, which takes seconds for the largest schemas.</param>
    /// <returns>
    /// The grammar. Arguments are an object whatever the schema says. Calls are numbered on from
    /// <see cref="ToolCallGrammarOptions.FirstIndex"/>. Places in its <see cref="ReplyGrammar.UnenforcedKeywords"/> begin with
    /// the name of the tool.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// There is no tool, two have one name, or a call is required and something else allowed.
    /// </exception>
    /// <exception cref="JsonException">A schema is malformed, or no object fits it; the message names tool and place.</exception>
    /// <exception cref="NotSupportedException">
    /// A schema cannot be enforced and the options are strict; the message names tool, keyword and place.
    /// </exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public static ReplyGrammar Create(
        IEnumerable<ToolDeclaration> tools, ToolCallGrammarOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tools);
        options ??= new ToolCallGrammarOptions();
        if (options.IsCallRequired && options.Otherwise is not null)
        {
            throw new ArgumentException(
                $"Either {nameof(options.IsCallRequired)} or {nameof(options.Otherwise)} can be set, not both.", nameof(options));
        }

        List<(string IdBeginning, JsonGrammar Arguments)> calls = [];
        List<UnenforcedKeyword> unenforced = [.. options.Otherwise?.UnenforcedKeywords ?? []];
        foreach (ToolDeclaration tool in tools)
        {
            JsonGrammar arguments = Compile(tool, options.Arguments, cancellationToken);
            string idBeginning = $"{NativeCallId.Prefix}{tool.Name}:";
            if (calls.Exists(call => call.IdBeginning == idBeginning))
            {
                throw new ArgumentException($"Two tools are named '{tool.Name}'.", nameof(tools));
            }

            calls.Add((idBeginning, arguments));
            unenforced.AddRange(
                arguments.UnenforcedKeywords.Select(keyword => keyword with { Place = tool.Name + keyword.Place }));
        }

        if (calls.Count == 0)
        {
            throw new ArgumentException("There is no tool to call.", nameof(tools));
        }

        ToolCallSection section = new(
            ToolCallMarkers.SectionBegin,
            ToolCallMarkers.SectionEnd,
            ToolCallMarkers.CallBegin,
            ToolCallMarkers.ArgumentBegin,
            ToolCallMarkers.CallEnd)
        {
            TextWithoutMarkers = TextWithoutMarkers,
            Tools = calls,
            FirstIndex = options.FirstIndex,
            AllowsSeveral = options.AllowSeveral,
        };
        bool allowsText = !options.IsCallRequired && options.Otherwise is null;
        return new ReplyGrammar(options.Otherwise, section, allowsText, unenforced.AsReadOnly());
    }

    private static JsonGrammar Compile(ToolDeclaration tool, JsonGrammarOptions? options, CancellationToken cancellationToken)
    {
        try
        {
            return tool.Parameters is { } schema
                ? JsonGrammar.CompileObject(schema, options, cancellationToken)
                : JsonGrammar.AnyObject;
        }
        catch (JsonException exception)
        {
            throw new JsonException($"The parameters of the tool '{tool.Name}': {exception.Message}", exception);
        }
        catch (NotSupportedException exception)
        {
            throw new NotSupportedException($"The parameters of the tool '{tool.Name}': {exception.Message}", exception);
        }
    }
}
