using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>Functions with parameters of all kinds, which a client has to take.</content>
public sealed partial class ChatClientIntegrationTests
{
    // As servers of the Model Context Protocol declare them.
    private static readonly string[] ServerSchemas =
    [
        """{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}, "additionalProperties": false}""",
        """{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": {"type": "string"}}""",
        """
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false,
         "properties": {"seconds": {"type": "number", "default": 10, "description": "How long."}, "steps": {"type": "number", "default": 5}}}
        """,
        """
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["prompt"], "additionalProperties": false,
         "properties": {"prompt": {"type": "string"}, "limit": {"type": "number", "default": 100}}}
        """,
        """
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["kind"], "additionalProperties": false,
         "properties": {"kind": {"type": "string", "enum": ["error", "success", "debug"]}, "image": {"type": "boolean", "default": false}}}
        """,
        """
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["id"], "additionalProperties": false,
         "properties": {"id": {"type": "number", "minimum": 1, "maximum": 100, "description": "From 1 to 100."}}}
        """,
        """
        {"type": "object", "required": ["owner", "repo", "number", "path", "body", "level"], "properties": {
         "owner": {"type": "string"}, "repo": {"type": "string"}, "number": {"type": "number"}, "path": {"type": "string"},
         "body": {"type": "string"}, "level": {"enum": ["FILE", "LINE"], "type": "string"}, "line": {"type": "number"},
         "side": {"enum": ["LEFT", "RIGHT"], "type": "string"}, "startSide": {"enum": ["LEFT", "RIGHT"], "type": "string"}}}
        """,
        """
        {"type": "object", "required": ["owner", "repo", "number"], "properties": {
         "owner": {"type": "string"}, "repo": {"type": "string"}, "number": {"type": "number"}, "title": {"type": "string"},
         "method": {"description": "How to merge.", "enum": ["merge", "squash", "rebase"], "type": "string"}}}
        """,
        """
        {"type": "object", "required": ["files"], "properties": {"files": {"type": "array", "items": {"type": "object",
         "additionalProperties": false, "required": ["path", "content"],
         "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}}}}
        """,
    ];

    [Fact]
    public Task AvailableTools_SchemasAreAccepted_Strict() => RunAsync(Need.Client, create => AcceptAsync(create, strict: true));

    [Fact]
    public Task AvailableTools_SchemasAreAccepted_NonStrict() => RunAsync(Need.Client, create => AcceptAsync(create, strict: false));

    // A reply is all that is asked for.
    private static async Task AcceptAsync(Func<IChatClient> create, bool strict)
    {
        using CollectedSpans spans = new();
        using IChatClient client = new FunctionInvokingChatClient(
            new OpenTelemetryChatClient(create(), sourceName: spans.Source));
        ChatOptions options = new() { MaxOutputTokens = 100, Tools = [.. Delegates(strict), .. Servers(strict)] };
        Assert.Equal(29, options.Tools.Count);

        ChatResponse response = await client.GetResponseAsync(
            "In short, which tower in Paris do most people know?", options, Cancellation);

        Assert.NotEmpty(response.Messages);
    }

    private static IEnumerable<AIFunction> Delegates(bool strict)
    {
        Delegate[] delegates =
        [
            (int? value) => value,
            (string? value) => value,
            (int? value = null) => value,
            (bool value) => value,
            (double value) => value,
            (decimal value) => value,
            (float value) => value,
            (long value) => value,
            (char value) => value,
            (DateTime value) => value,
            (DateTimeOffset? value) => value,
            (TimeSpan value) => value,
            (DateOnly value) => value,
            (TimeOnly value) => value,
            (Uri value) => value,
            (Guid value) => value,
            (List<int> values) => values,
            (int[] values, Annotated? more) => values,
            (string a = "text", int b = 42, BindingFlags c = BindingFlags.IgnoreCase, char d = 'x') => a,
            (string? a = "text", int? b = 42, BindingFlags? c = BindingFlags.IgnoreCase, char? d = 'x') => a,
        ];
        return delegates.Select((method, index) => AIFunctionFactory.Create(
            method, new AIFunctionFactoryOptions { Name = $"Method{index}", AdditionalProperties = Properties(strict) }));
    }

    private static IEnumerable<AIFunction> Servers(bool strict) =>
        ServerSchemas.Select((schema, index) => new ServerFunction($"Server{index}", JsonElement.Parse(schema), Properties(strict)));

    private static Dictionary<string, object?> Properties(bool strict) => strict ? new() { ["strict"] = true } : [];

    private sealed class ServerFunction(string name, JsonElement schema, IReadOnlyDictionary<string, object?> properties) : AIFunction
    {
        public override string Name => name;

        public override JsonElement JsonSchema => schema;

        public override IReadOnlyDictionary<string, object?> AdditionalProperties => properties;

        protected override ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }

    private sealed class Annotated
    {
        [DisplayName("One of many")]
        [DeniedValues("abc", "default")]
        public string? Denied { get; set; }

        [AllowedValues("abc", "def", "default")]
        public string Allowed { get; set; } = "default";

        [Range(25, 75)]
        public int InRange { get; set; }

        [EmailAddress]
        public string? Email { get; set; }

        [RegularExpression("[abc]")]
        public string? Patterned { get; set; }

        [StringLength(42)]
        public string Short { get; set; } = "default";

        [Length(1, 2)]
        public int[]? OneOrTwo { get; set; }

        [MinLength(1)]
        public int[]? Some { get; set; }

        [MaxLength(10)]
        public int[]? Few { get; set; }
    }
}
