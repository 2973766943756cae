using System.Text.Json;

namespace KimiLinear.Sampling;

/// <content>Objects and arrays.</content>
internal sealed partial class SchemaCompiler
{
    private ObjectRule ObjectOf(List<SchemaPart> parts)
    {
        HashSet<string> required = [.. parts.SelectMany(Required)];
        Dictionary<string, JsonElement>[] named = [.. parts.Select(Properties)];
        string[] names = [.. named.SelectMany(schemas => schemas.Keys).Concat(parts.SelectMany(Required)).Distinct()];
        ObjectProperty[] properties =
        [
            .. names.Select(name => new ObjectProperty(
                KeyOf(name),
                RuleOf([.. parts.Zip(named, (part, schemas) => Property(part, schemas, name)).OfType<SchemaPart>()]),
                required.Contains(name))),
        ];
        ByteTrie taken = new();
        foreach (string name in names)
        {
            taken.Add(JsonCharacters.Spell(name));
        }

        GrammarRule? others = OthersOf(parts);
        bool isEvaluated = others is not null || required.IsSubsetOf(named.SelectMany(schemas => schemas.Keys));
        ReportObject(parts, properties, others, isEvaluated);
        return Register(new ObjectRule(properties, others, taken));
    }

    private ChoiceRule? OthersOf(List<SchemaPart> parts)
    {
        bool isOpen = _options.AllowUnnamedProperties || !parts.Any(part => part.Has("properties"))
            || parts.Any(part => part.Has("additionalProperties"));
        SchemaPart[] additional = [.. parts.Select(Additional).OfType<SchemaPart>()];
        bool isClosed = additional.Any(part => part.Element.ValueKind == JsonValueKind.False)
            || parts.Any(part => part.TryGet("unevaluatedProperties", out JsonElement value)
                && value.ValueKind == JsonValueKind.False);
        return isOpen && !isClosed ? RuleOf(additional) : null;
    }

    private void ReportObject(List<SchemaPart> parts, ObjectProperty[] properties, GrammarRule? others, bool isEvaluated)
    {
        foreach (SchemaPart part in parts)
        {
            foreach (string keyword in SchemaKeywords.About(part, SchemaTypes.Object))
            {
                bool isEnforced = keyword switch
                {
                    "properties" or "required" or "additionalProperties" => true,
                    "minProperties" => part.Count(keyword) <= properties.Count(property => property.IsRequired),
                    "maxProperties" => others is null && part.Count(keyword) >= properties.Length,
                    "unevaluatedProperties" => part.TryGet(keyword, out JsonElement value)
                        && (value.ValueKind == JsonValueKind.True
                            || (value.ValueKind == JsonValueKind.False && isEvaluated && HoldsAlone(part, parts))),
                    _ => false,
                };
                if (!isEnforced)
                {
                    _report.Add(part, keyword, "it is not supported");
                }
            }
        }
    }

    // Whether all that holds for a value does so because one schema does, which so knows of all properties.
    private static bool HoldsAlone(SchemaPart part, List<SchemaPart> parts) =>
        part.Parent is null && parts.TrueForAll(other => other.IsWithin(part));

    private ArrayRule ArrayOf(List<SchemaPart> parts)
    {
        int minimum = parts.Max(part => part.Count("minItems")) ?? 0;
        int maximum = parts.Min(part => part.Count("maxItems")) ?? GrammarNodes.Unlimited;
        int firstCount = parts.Select(part => First(part).Count).DefaultIfEmpty(0).Max();
        GrammarRule[] first =
        [
            .. Enumerable.Range(0, firstCount)
                .Select(index => RuleOf([.. parts.Select(part => Item(part, index)).OfType<SchemaPart>()])),
        ];
        GrammarRule rest = RuleOf([.. parts.Select(part => Item(part, int.MaxValue)).OfType<SchemaPart>()]);
        foreach (SchemaPart part in parts)
        {
            foreach (string keyword in SchemaKeywords.About(part, SchemaTypes.Array))
            {
                bool isEnforced = keyword switch
                {
                    "items" or "prefixItems" or "additionalItems" or "minItems" or "maxItems" => true,
                    "uniqueItems" => maximum is 0 or 1
                        || (part.TryGet(keyword, out JsonElement value) && value.ValueKind == JsonValueKind.False),
                    _ => false,
                };
                if (!isEnforced)
                {
                    _report.Add(part, keyword, "it is not supported");
                }
            }
        }

        return Register(new ArrayRule(first, rest, minimum, maximum));
    }

    private static Dictionary<string, JsonElement> Properties(SchemaPart part)
    {
        Dictionary<string, JsonElement> schemas = [];
        if (part.TryGet("properties", out JsonElement properties))
        {
            if (properties.ValueKind != JsonValueKind.Object)
            {
                throw part.Error("properties", "must be an object of schemas");
            }

            foreach (JsonProperty property in properties.EnumerateObject())
            {
                schemas[property.Name] = property.Value;
            }
        }

        return schemas;
    }

    private static IEnumerable<string> Required(SchemaPart part)
    {
        // Before draft 4 a property said of itself that it is required.
        if (!part.TryGet("required", out JsonElement names) || names.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return [];
        }

        bool isList = names.ValueKind == JsonValueKind.Array
            && names.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String);
        return isList
            ? names.EnumerateArray().Select(name => name.GetString()!)
            : throw part.Error("required", "must be an array of names");
    }

    // What a schema says about the property of a name, if anything. One that its patterns may name is none of the others.
    private static SchemaPart? Property(SchemaPart part, Dictionary<string, JsonElement> named, string name) =>
        named.TryGetValue(name, out JsonElement schema) ? part.Child(schema, "properties", name)
        : part.Has("patternProperties") ? null
        : Additional(part);

    private static SchemaPart? Additional(SchemaPart part) =>
        part.TryGet("additionalProperties", out JsonElement schema) ? part.Child(schema, "additionalProperties") : null;

    private static IReadOnlyList<SchemaPart> First(SchemaPart part)
    {
        bool isOldForm = part.TryGet("items", out JsonElement items) && items.ValueKind == JsonValueKind.Array;
        return [.. part.Children(isOldForm ? "items" : "prefixItems").Select(item => item with { Parent = null })];
    }

    // What a schema says about the item at an index, if anything.
    private static SchemaPart? Item(SchemaPart part, int index)
    {
        IReadOnlyList<SchemaPart> first = First(part);
        if (index < first.Count)
        {
            return first[index];
        }

        string keyword = part.TryGet("items", out JsonElement items) && items.ValueKind == JsonValueKind.Array
            ? "additionalItems"
            : "items";
        return part.TryGet(keyword, out JsonElement schema) ? part.Child(schema, keyword) : null;
    }
}
