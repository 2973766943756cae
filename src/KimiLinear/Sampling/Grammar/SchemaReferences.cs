using System.Globalization;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>Finds what <c>$ref</c> names inside one schema: a JSON pointer or an anchor.</summary>
internal sealed class SchemaReferences(JsonElement root)
{
    private Dictionary<string, SchemaPart>? _anchors;

    /// <summary>Finds the schema that a part refers to.</summary>
    /// <exception cref="JsonException">There is none, or it lies outside.</exception>
    public SchemaPart Resolve(SchemaPart part)
    {
        string reference = part.Text("$ref")!;
        string? id = new SchemaPart(root, "#").Text("$id")?.TrimEnd('#');
        string fragment = id is { Length: > 0 } && reference.StartsWith(id, StringComparison.Ordinal)
            ? reference[id.Length..]
            : reference;
        SchemaPart? target = fragment switch
        {
            "" or "#" => new SchemaPart(root, "#"),
            ['#', '/', ..] => FollowPointer(Uri.UnescapeDataString(fragment)),
            ['#', .. string anchor] => Anchors().GetValueOrDefault(anchor),
            _ => throw part.Error("$ref", $"is '{reference}', but only references inside the schema can be followed"),
        };
        return target is null
            ? throw part.Error("$ref", $"is '{reference}', which the schema does not contain")
            : target with { Parent = part };
    }

    private SchemaPart? FollowPointer(string pointer)
    {
        JsonElement element = root;
        SchemaPart part = new(root, "#");
        foreach (string escaped in pointer.Split('/').Skip(1))
        {
            string name = escaped.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            bool isFound = element.ValueKind switch
            {
                JsonValueKind.Object => element.TryGetProperty(name, out element),
                JsonValueKind.Array => TryGetItem(element, name, out element),
                _ => false,
            };
            if (!isFound)
            {
                return null;
            }
        }

        return part with { Element = SchemaPart.RequireSchema(element, pointer), Pointer = pointer };
    }

    private static bool TryGetItem(JsonElement array, string name, out JsonElement item)
    {
        item = default;
        bool isFound = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            && index < array.GetArrayLength();
        if (isFound)
        {
            item = array[index];
        }

        return isFound;
    }

    private Dictionary<string, SchemaPart> Anchors()
    {
        if (_anchors is null)
        {
            _anchors = [];
            Collect(new SchemaPart(root, "#"));
        }

        return _anchors;
    }

    private void Collect(SchemaPart part)
    {
        if (part.Element.ValueKind == JsonValueKind.Object)
        {
            if (part.TryGet("$anchor", out JsonElement anchor) && anchor.ValueKind == JsonValueKind.String)
            {
                _anchors!.TryAdd(anchor.GetString()!, part);
            }

            foreach (JsonProperty property in part.Element.EnumerateObject())
            {
                Collect(part with { Element = property.Value, Pointer = SchemaPart.Join(part.Pointer, property.Name) });
            }
        }
        else if (part.Element.ValueKind == JsonValueKind.Array)
        {
            int index = 0;
            foreach (JsonElement item in part.Element.EnumerateArray())
            {
                Collect(part with { Element = item, Pointer = SchemaPart.Join(part.Pointer, $"{index++}") });
            }
        }
    }
}
