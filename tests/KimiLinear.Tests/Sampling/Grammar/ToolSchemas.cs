namespace KimiLinear.Tests.Sampling;

/// <summary>Schemas of arguments as .NET delegates and MCP servers declare them.</summary>
internal static class ToolSchemas
{
    private const string TimeSpanPattern = """^-?(\\d+\\.)?\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,7})?$""";

    /// <summary>Gets the schemas of single parameters of delegates.</summary>
    private static readonly string[] Parameters =
    [
        """{"type": "integer"}""",
        """{"type": ["integer", "null"], "default": null}""",
        """{"type": "number", "default": 1.5}""",
        """{"description": "A price.", "type": "number"}""",
        """{"type": "string", "minLength": 1, "maxLength": 1}""",
        $$"""{"type": "string", "pattern": "{{TimeSpanPattern}}"}""",
        """{"type": "string", "format": "date"}""",
        """{"type": "string", "format": "time"}""",
        """{"type": "string", "format": "date-time"}""",
        """{"type": ["string", "null"], "format": "uri"}""",
        """{"type": "string", "format": "uuid"}""",
        """{"type": "boolean", "default": true}""",
        """{"type": "string", "enum": ["Red", "Green", "Blue"], "default": "Green"}""",
        """{"type": "string", "description": "Flags.", "default": "Read, Write"}""",
        """{"enum": ["A", "B", null], "default": null}""",
        """{"type": "array", "items": {"type": "string"}}""",
        """{"type": "object", "additionalProperties": {"type": "integer"}}""",
        """{"type": ["array", "null"], "items": {"type": ["number", "null"]}, "default": null}""",
        """{}""",
        """
        {"description": "A person.", "type": "object", "properties": {
          "name": {"type": "string"}, "age": {"type": ["integer", "null"]},
          "address": {"type": ["object", "null"], "properties": {"street": {"type": "string"}, "zip": {"type": "string", "pattern": "^\\d{5}$"}},
                      "required": ["street", "zip"]},
          "friends": {"type": "array", "items": {"$ref": "#/properties/p"}},
          "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["name", "friends"]}
        """,
    ];

    private static readonly string[] McpServers =
    [
        """{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}, "additionalProperties": false}""",
        """
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
         "properties": {"path": {"type": "string"}, "head": {"type": "number", "description": "First lines."}}, "required": ["path"],
         "additionalProperties": false}
        """,
        """
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
         "properties": {"env": {"type": "object", "additionalProperties": {"type": "string"}}}, "additionalProperties": {"type": "string"}}
        """,
        """
        {"type": "object", "properties": {"edits": {"type": "array", "items": {"type": "object",
          "properties": {"oldText": {"type": "string"}, "newText": {"type": "string"}}, "required": ["oldText", "newText"],
          "additionalProperties": false}}, "dryRun": {"type": "boolean", "default": false}}, "required": ["edits"]}
        """,
        """
        {"type": "object", "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 400},
          "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
          "sort": {"enum": ["asc", "desc"]}}, "required": ["query"]}
        """,
        """
        {"type": "object", "properties": {"timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
          "level": {"anyOf": [{"type": "integer"}, {"const": "max"}]}}, "required": ["level"]}
        """,
        """
        {"type": "object", "properties": {"filter": {"$ref": "#/definitions/filter"}}, "required": ["filter"],
         "definitions": {"filter": {"type": "object", "properties": {"field": {"type": "string"},
           "and": {"type": "array", "items": {"$ref": "#/definitions/filter"}}}, "required": ["field"], "additionalProperties": false}}}
        """,
        """
        {"type": "object", "properties": {"target": {"oneOf": [
           {"type": "object", "properties": {"kind": {"const": "file"}, "path": {"type": "string"}}, "required": ["kind", "path"]},
           {"type": "object", "properties": {"kind": {"const": "url"}, "url": {"type": "string", "format": "uri"}}, "required": ["kind", "url"]}]}},
         "required": ["target"]}
        """,
        """
        {"type": "object", "properties": {"point": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}],
          "items": false, "minItems": 2}, "email": {"type": "string", "format": "email"}}, "required": ["point", "email"]}
        """,
    ];

    /// <summary>Gets all schemas, each of an object.</summary>
    public static string[] All { get; } =
    [
        .. Parameters.Select(parameter => $$"""{"type": "object", "properties": {"p": {{parameter}}}, "required": ["p"]}"""),
        .. McpServers,
    ];
}
