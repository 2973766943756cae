using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>
/// Tells whether no value fits two schemas at once, as far as types, listed values and required properties show.
/// </summary>
internal sealed class SchemaOverlap(SchemaReferences references)
{
    // Deeper differences are not looked for.
    private const int MaxDepth = 8;

    // Properties of properties multiply, and so do pairs of very many schemas; what is left after so many is not looked at.
    private int _comparisonsLeft = 200_000;

    /// <summary>Tells whether no value fits two of the schemas.</summary>
    /// <param name="schemas">The schemas.</param>
    /// <param name="common">What holds beside each of them.</param>
    public bool AreDisjoint(IReadOnlyList<SchemaPart> schemas, IReadOnlyList<SchemaPart> common)
    {
        List<SchemaPart>[] all = [.. schemas.Select(schema => Gather([schema, .. common], MaxDepth))];
        return Enumerable.Range(0, all.Length)
            .All(left => Enumerable.Range(0, left).All(right => AreDisjoint(all[left], all[right], MaxDepth)));
    }

    private bool AreDisjoint(List<SchemaPart> left, List<SchemaPart> right, int depth)
    {
        if (_comparisonsLeft == 0)
        {
            return false;
        }

        _comparisonsLeft--;
        SchemaTypes common = Types(left) & Types(right);
        if (common == SchemaTypes.None)
        {
            return true;
        }

        if (SchemaKeywords.ValuesOf([.. left, .. right]) is { } values)
        {
            return values.All(value => (SchemaKeywords.TypeOfValue(value) & common) == 0);
        }

        return common == SchemaTypes.Object && depth > 0 && Required(left).Intersect(Required(right)).Any(name =>
            AreDisjoint(Property(left, name, depth), Property(right, name, depth), depth - 1));
    }

    private static SchemaTypes Types(List<SchemaPart> parts) => parts.Aggregate(
        SchemaTypes.All,
        (types, part) => part.Element.ValueKind == JsonValueKind.False ? SchemaTypes.None : types & SchemaKeywords.TypesOf(part));

    private static IEnumerable<string> Required(List<SchemaPart> parts) => parts.SelectMany(part =>
        part.TryGet("required", out JsonElement names) && names.ValueKind == JsonValueKind.Array
            ? names.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()!)
            : []);

    private List<SchemaPart> Property(List<SchemaPart> parts, string name, int depth)
    {
        List<SchemaPart> found = [];
        foreach (SchemaPart part in parts)
        {
            if (part.TryGet("properties", out JsonElement properties) && properties.ValueKind == JsonValueKind.Object
                && properties.TryGetProperty(name, out JsonElement schema))
            {
                found.Add(part.Child(schema, "properties", name));
            }
        }

        return Gather(found, depth);
    }

    private List<SchemaPart> Gather(List<SchemaPart> parts, int depth)
    {
        for (int i = 0; i < parts.Count && i < depth; i++)
        {
            IEnumerable<SchemaPart> added = parts[i].Children("allOf");
            parts.AddRange(parts[i].Has("$ref") ? added.Append(references.Resolve(parts[i])) : added);
        }

        return parts;
    }
}
