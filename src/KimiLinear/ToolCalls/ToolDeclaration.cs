using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using KimiLinear.Tokenization;

namespace KimiLinear.ToolCalls;

/// <summary>A tool as it is declared to the model: its name, what it is for, and a JSON schema of its parameters.</summary>
/// <remarks>Immutable, and safe to use from several threads at once.</remarks>
public sealed class ToolDeclaration
{
    // The writer's own limit: a schema that was parsed may be nested deeper than the reader's default.
    private const int MaxDepth = 1000;

    private readonly string _json;

    /// <summary>Initializes a new instance of the <see cref="ToolDeclaration"/> class.</summary>
    /// <param name="name">The name by which the model calls the tool.</param>
    /// <param name="description">What the tool is for, in words the model reads; <see langword="null"/> leaves it out.</param>
    /// <param name="parameters">The JSON schema of the arguments; <see langword="null"/> leaves it out.</param>
    /// <exception cref="ArgumentException">
    /// <paramref name="name"/> is <see langword="null"/> or empty, or it or <paramref name="description"/> holds half of a
    /// surrogate pair.
    /// </exception>
    /// <exception cref="JsonException">
    /// <paramref name="parameters"/> holds half of a surrogate pair, or bytes that are not UTF-8.
    /// </exception>
    public ToolDeclaration(string name, string? description = null, JsonElement? parameters = null)
        : this(Wrap(name, description, parameters), name, description, parameters)
    {
    }

    private ToolDeclaration(JsonElement json, string name, string? description, JsonElement? parameters)
    {
        _json = PythonJson.WriteSorted(json);
        Name = name;
        Description = description;
        Parameters = parameters is { ValueKind: not JsonValueKind.Undefined } schema ? schema.Clone() : null;
    }

    /// <summary>Gets the name by which the model calls the tool.</summary>
    public string Name { get; }

    /// <summary>Gets what the tool is for, or <see langword="null"/> if that is not said.</summary>
    public string? Description { get; }

    /// <summary>Gets the JSON schema of the arguments, or <see langword="null"/> if there is none.</summary>
    public JsonElement? Parameters { get; }

    /// <summary>Reads a tool in the form of the OpenAI API and keeps it whole, keys of unknown meaning included.</summary>
    /// <param name="json">An object like <c>{"type": "function", "function": {"name": …, "parameters": …}}</c>.</param>
    /// <returns>The tool.</returns>
    /// <exception cref="JsonException"><paramref name="json"/> is not such an object; the message names the place.</exception>
    public static ToolDeclaration FromJson(JsonElement json) => FromJson(new JsonField(json, "tool"));

    /// <summary>Gets the text by which the tool is declared to the model.</summary>
    /// <returns>
    /// The whole tool as JSON: keys sorted by code point at every depth, no spaces, nothing escaped that need not be, numbers as
    /// Python writes them.
    /// </returns>
    public string ToJson() => _json;

    /// <inheritdoc/>
    public override string ToString() => _json;

    internal static ToolDeclaration FromJson(JsonField tool)
    {
        JsonField function = tool.Required("function");
        string name = function.Required("name").AsString();
        if (name.Length == 0)
        {
            throw function.Required("name").Error("must not be empty");
        }

        string? description = function.Optional("description")?.AsString();
        JsonElement? parameters = function.Optional("parameters")?.Element;
        try
        {
            return new ToolDeclaration(tool.Element, name, description, parameters);
        }
        catch (JsonException exception)
        {
            throw tool.Error(
                "holds a string with half of a surrogate pair or with bytes that are not UTF-8, which no text can hold", exception);
        }
    }

    private static JsonElement Wrap(string name, string? description, JsonElement? parameters)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        WholeText.Require(name, nameof(name));
        WholeText.Require(description ?? "", nameof(description));
        ArrayBufferWriter<byte> json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("function");
            writer.WriteString("name", name);
            if (description is not null)
            {
                writer.WriteString("description", description);
            }

            if (parameters is { ValueKind: not JsonValueKind.Undefined } schema)
            {
                writer.WritePropertyName("parameters");
                // As bytes: what is no UTF-8 is found where the text is written.
                writer.WriteRawValue(JsonMarshal.GetRawUtf8Value(schema), skipInputValidation: true);
            }

            writer.WriteEndObject();
            writer.WriteString("type", "function");
            writer.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(json.WrittenMemory, new JsonDocumentOptions { MaxDepth = MaxDepth });
        return document.RootElement.Clone();
    }
}
