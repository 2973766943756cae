using System.Collections.Concurrent;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>A JSON schema compiled so that a reply can be held to it token by token.</summary>
/// <remarks>
/// <para>
/// Replies are single-line JSON with at most one space behind each comma and colon. Properties come in the order of the schema,
/// optional ones may be left out, others follow; no key comes twice. Every reply can be ended at every point within a bounded
/// number of tokens. A number has at most 15 digits before the point (an integer 18), 15 behind it, and an exponent of two; one
/// with bounds has at most 15 digits together, unless its bounds need more, and no exponent. Lengths of strings count code points:
/// a character written as two escaped surrogates is one, and a half pair is never written. Strings that a pattern, a format or a
/// list of values describes, and names of other properties, are written without needless escapes.
/// </para>
/// <para>Immutable and safe for concurrent use. What was learned about its states while generating stays with it, about 20 kB
/// for each at the published vocabulary.</para>
/// </remarks>
public sealed class JsonGrammar
{
    // Schemas are few and come again with every request.
    private const int MaxCached = 256;

    private static readonly ConcurrentDictionary<CacheKey, JsonGrammar> Cache = new();

    private JsonGrammar(CompiledSchema schema, int maxDepth)
    {
        Bytes = new ByteGrammar(schema.Root, maxDepth);
        HasOtherKeys = schema.HasOtherKeys;
        UnenforcedKeywords = Array.AsReadOnly([.. schema.UnenforcedKeywords]);
    }

    /// <summary>Gets the grammar of any JSON object, for replies that are JSON without a schema.</summary>
    public static JsonGrammar AnyObject { get; } = Compile(JsonElement.Parse("""{"type": "object"}"""));

    /// <summary>Gets the keywords of the schema that replies may violate; empty if everything is enforced.</summary>
    public IReadOnlyList<UnenforcedKeyword> UnenforcedKeywords { get; }

    /// <summary>Gets the grammar of the text.</summary>
    internal ByteGrammar Bytes { get; }

    /// <summary>Gets a value indicating whether keys must be watched lest they come twice.</summary>
    internal bool HasOtherKeys { get; }

    /// <summary>Compiles a schema, or finds it compiled already.</summary>
    /// <param name="schema">
    /// A JSON schema of draft 2020-12, or an earlier one in so far as it means the same. Enforced are <c>type</c>, <c>enum</c>,
    /// <c>const</c>, <c>properties</c>, <c>required</c>, <c>additionalProperties</c>, <c>items</c>, <c>prefixItems</c>,
    /// <c>minItems</c>, <c>maxItems</c>, <c>minLength</c>, <c>maxLength</c>, <c>pattern</c> (no look-around, back references, word
    /// boundaries or Unicode properties), <c>format</c> (date, time, date-time, uuid, email, uri), <c>minimum</c>,
    /// <c>maximum</c>, their exclusive forms, <c>multipleOf</c>, <c>anyOf</c>, <c>allOf</c>, <c>oneOf</c> where types, listed
    /// values or required properties keep its schemas apart, and <c>$ref</c> inside the schema, in circles too. A schema
    /// without <c>type</c> stands for the types its keywords speak of. Unknown keywords are annotations.
    /// </param>
    /// <param name="options">What to do where there is a choice; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Ends the work, which takes seconds for the largest schemas.</param>
    /// <returns>The grammar; the same object for the same schema and options, as long as it is among the last 256.</returns>
    /// <exception cref="JsonException">The schema is malformed, or no value fits it; the message names the place.</exception>
    /// <exception cref="NotSupportedException">
    /// A keyword cannot be enforced and <see cref="JsonGrammarOptions.IsStrict"/> is set, or the schema is far too large.
    /// </exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public static JsonGrammar Compile(
        JsonElement schema, JsonGrammarOptions? options = null, CancellationToken cancellationToken = default) =>
        Compile(schema, options ?? new JsonGrammarOptions(), isObject: false, cancellationToken);

    /// <summary>Compiles a schema of the arguments of a tool, which are an object whatever the schema says.</summary>
    internal static JsonGrammar CompileObject(
        JsonElement schema, JsonGrammarOptions? options, CancellationToken cancellationToken = default) =>
        Compile(schema, options ?? new JsonGrammarOptions(), isObject: true, cancellationToken);

    private static JsonGrammar Compile(
        JsonElement schema, JsonGrammarOptions options, bool isObject, CancellationToken cancellationToken)
    {
        SchemaPart.RequireSchema(schema, "#");
        CacheKey key = new(TextOf(schema), options, isObject);
        if (!Cache.TryGetValue(key, out JsonGrammar? grammar))
        {
            if (Cache.Count >= MaxCached)
            {
                Cache.Clear();
            }

            CompiledSchema compiled = SchemaCompiler.Compile(schema, options, isObject, cancellationToken);
            grammar = Cache.GetOrAdd(key, new JsonGrammar(compiled, options.MaxDepth));
        }

        return grammar;
    }

    private static string TextOf(JsonElement schema)
    {
        try
        {
            return schema.GetRawText();
        }
        catch (InvalidOperationException exception)
        {
            throw new JsonException("The schema holds bytes that are not UTF-8, which no text can hold.", exception);
        }
    }

    private sealed record CacheKey(string Schema, JsonGrammarOptions Options, bool IsObject);
}
