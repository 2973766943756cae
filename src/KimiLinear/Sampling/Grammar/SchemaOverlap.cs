using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>
/// Tells whether no value fits two schemas at once, as far as types, listed values and required properties show.
/// </summary>
internal sealed class SchemaOverlap(SchemaReferences references, CancellationToken cancellationToken)
{
    // Deeper differences are not looked for.
    private const int MaxDepth = 8;

    // Properties of properties multiply, and so do pairs of very many schemas; what is left after so many is not looked at.
    private int _comparisonsLeft = 200_000;

    // By the place of the schema that has the alternatives, which may be referred to from many.
    private readonly Dictionary<string, bool> _areDisjointAlone = [];

    /// <summary>Tells whether no value fits two of a schema's alternatives.</summary>
    /// <param name="owner">The schema that has them.</param>
    /// <param name="branches">The alternatives.</param>
    /// <param name="common">What holds beside each of them, the owner too.</param>
    public bool AreDisjoint(SchemaPart owner, IReadOnlyList<SchemaPart> branches, IReadOnlyList<SchemaPart> common)
    {
        if (!_areDisjointAlone.TryGetValue(owner.Pointer, out bool areDisjoint))
        {
            areDisjoint = AreDisjoint(branches, [owner]);
            _areDisjointAlone.Add(owner.Pointer, areDisjoint);
        }

        return areDisjoint || AreDisjoint(branches, common);
    }

    private bool AreDisjoint(IReadOnlyList<SchemaPart> schemas, IReadOnlyList<SchemaPart> common)
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
        cancellationToken.ThrowIfCancellationRequested();
        SchemaTypes common = Types(left) & Types(right);
        if (common == SchemaTypes.None)
        {
            return true;
        }

        if (SchemaKeywords.ValuesOf([.. left, .. right], cancellationToken) is { } values)
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
