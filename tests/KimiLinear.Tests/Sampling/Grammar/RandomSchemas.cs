using System.Text.Json.Nodes;

namespace KimiLinear.Tests.Sampling;

/// <summary>Makes small random schemas of the keywords that grammars enforce. The same seed gives the same schema.</summary>
internal sealed class RandomSchemas(int seed)
{
    private static readonly string[] Patterns =
    [
        "^[a-c]+$", "^\\d{2,4}$", "b", "^x?y*z", "(foo|ba[rz])$", "^[^a-z]{1,3}$", "^(?:-?(?:0|[1-9]\\d*))$", "^\\w+@\\w+$", "^$|^a\"\\\\$", "[\\u00e9\\u4e16]",
    ];

    private static readonly string[] Formats = ["date", "time", "date-time", "uuid", "email", "uri"];
    private static readonly string[] Names = ["a", "b", "name", "id", "items", "a\"b", "é", "ab"];

    private readonly Random _random = new(seed);

    /// <summary>Makes a schema, with definitions that may refer to themselves.</summary>
    public JsonObject Next()
    {
        JsonObject schema = Schema(depth: 3);
        schema["$defs"] = new JsonObject
        {
            ["leaf"] = Schema(depth: 0),
            ["list"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["v"] = Schema(depth: 0), ["next"] = Nullable(Ref("list")) },
                ["required"] = new JsonArray("v", "next"),
                ["additionalProperties"] = false,
            },
            ["tree"] = new JsonObject { ["type"] = "array", ["items"] = Ref("tree"), ["maxItems"] = 2 },
        };
        return schema;
    }

    private JsonObject Schema(int depth) => _random.Next(depth > 0 ? 13 : 7) switch
    {
        0 or 1 => String(),
        2 => Number("number"),
        3 => Number("integer"),
        4 => new JsonObject { ["type"] = _random.Next(2) == 0 ? "boolean" : "null" },
        5 => Values(),
        6 => new JsonObject { ["type"] = new JsonArray("string", "null", "integer"), ["maxLength"] = 5, ["minimum"] = -3 },
        7 => Array(depth),
        8 or 9 => Object(depth),
        10 => new JsonObject { ["anyOf"] = new JsonArray([.. Enumerable.Range(0, 1 + _random.Next(3)).Select(_ => Schema(depth - 1))]) },
        11 => OneOf(depth),
        _ => _random.Next(3) switch { 0 => Ref("leaf"), 1 => Ref("list"), _ => Both(depth) },
    };

    private JsonObject String()
    {
        JsonObject schema = new() { ["type"] = "string" };
        int kind = _random.Next(6);
        if (kind is 0 or 1)
        {
            schema["pattern"] = Pick(Patterns);
        }
        else if (kind == 2)
        {
            schema["format"] = Pick(Formats);
        }

        if (kind is 1 or 3 or 4)
        {
            int minimum = _random.Next(4);
            schema["minLength"] = minimum;
            schema["maxLength"] = minimum + _random.Next(6);
        }

        return schema;
    }

    private JsonObject Number(string type)
    {
        JsonObject schema = new() { ["type"] = type };
        decimal low = _random.Next(-1200, 1200) / (decimal)Math.Pow(10, _random.Next(4));
        decimal high = low + (_random.Next(1, 3000) / (decimal)Math.Pow(10, _random.Next(3)));
        if (_random.Next(2) == 0)
        {
            schema[_random.Next(2) == 0 ? "minimum" : "exclusiveMinimum"] = low;
        }

        if (_random.Next(2) == 0)
        {
            schema[_random.Next(2) == 0 ? "maximum" : "exclusiveMaximum"] = high;
        }

        if (_random.Next(4) == 0)
        {
            schema["multipleOf"] = Pick([1m, 2m, 3m, 7m, 10m, 0.5m, 0.25m, 0.01m, 1.5m]);
        }

        return schema;
    }

    private JsonObject Values()
    {
        JsonNode?[] values = ["a", "ab", "a\"\\\n", "世", 1, -25, 2.5, true, null, new JsonObject { ["a"] = 1, ["b"] = new JsonArray(1, "x") }, new JsonArray()];
        if (_random.Next(4) == 0)
        {
            return new JsonObject { ["const"] = Pick(values)?.DeepClone() };
        }

        return new JsonObject
        {
            ["enum"] = new JsonArray([.. Enumerable.Range(0, 1 + _random.Next(5)).Select(_ => Pick(values)?.DeepClone())]),
        };
    }

    private JsonObject Array(int depth)
    {
        int minimum = _random.Next(3);
        JsonObject schema = new() { ["type"] = "array", ["items"] = Schema(depth - 1), ["minItems"] = minimum };
        if (_random.Next(2) == 0)
        {
            schema["maxItems"] = minimum + _random.Next(3);
        }

        if (_random.Next(3) == 0)
        {
            schema["prefixItems"] = new JsonArray(Schema(depth - 1), Schema(depth - 1));
        }

        return schema;
    }

    private JsonObject Object(int depth)
    {
        JsonObject properties = [];
        JsonArray required = [];
        foreach (string name in Names.Where(_ => _random.Next(3) == 0).OrderBy(_ => _random.Next()))
        {
            properties[name] = Schema(depth - 1);
            if (_random.Next(2) == 0)
            {
                required.Add(name);
            }
        }

        JsonObject schema = new() { ["type"] = "object", ["properties"] = properties, ["required"] = required };
        if (_random.Next(3) is int kind and < 2)
        {
            schema["additionalProperties"] = kind == 0 ? JsonValue.Create(_random.Next(2) == 0) : Schema(depth - 1);
        }

        return schema;
    }

    private JsonObject OneOf(int depth) => new()
    {
        ["oneOf"] = new JsonArray(
            Tagged("x", depth), Tagged("y", depth), String(), new JsonObject { ["type"] = "boolean" }),
    };

    private JsonObject Tagged(string tag, int depth) => new()
    {
        ["type"] = "object",
        ["properties"] = new JsonObject { ["kind"] = new JsonObject { ["const"] = tag }, ["value"] = Schema(depth - 1) },
        ["required"] = new JsonArray("kind"),
        ["additionalProperties"] = false,
    };

    // Two schemas that hold at once, chosen so that something fits both.
    private JsonObject Both(int depth) => _random.Next(3) switch
    {
        0 => new JsonObject
        {
            ["allOf"] = new JsonArray(
                new JsonObject { ["type"] = "string", ["minLength"] = 2 }, new JsonObject { ["pattern"] = "^[a-f]*$", ["maxLength"] = 4 }),
        },
        1 => new JsonObject
        {
            ["type"] = new JsonArray("number", "string"),
            ["allOf"] = new JsonArray(
                new JsonObject { ["type"] = "integer", ["minimum"] = 3 },
                new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["maximum"] = 12 }, new JsonObject { ["multipleOf"] = 5 }) }),
        },
        _ => new JsonObject
        {
            ["allOf"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject { ["a"] = Schema(depth - 1) },
                    ["required"] = new JsonArray("b"),
                },
                new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject { ["b"] = new JsonObject { ["type"] = "integer" } },
                    ["additionalProperties"] = Schema(depth - 1),
                }),
        },
    };

    private static JsonObject Ref(string name) => new() { ["$ref"] = $"#/$defs/{name}" };

    private static JsonObject Nullable(JsonObject schema) =>
        new() { ["anyOf"] = new JsonArray(schema, new JsonObject { ["type"] = "null" }) };

    private T Pick<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];
}
