using System.Text;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <content>Values that <c>const</c> and <c>enum</c> list.</content>
internal sealed partial class SchemaCompiler
{
    private void AddValues(
        ChoiceRule rule, List<SchemaPart> parts, SchemaTypes types, IReadOnlyList<JsonElement> values)
    {
        JsonElement[] fitting = [.. values.Where(value => (types & SchemaKeywords.TypeOfValue(value)) != 0)];
        foreach (SchemaTypes kind in new[] { SchemaTypes.Object, SchemaTypes.Array })
        {
            if (fitting.Any(value => SchemaKeywords.TypeOfValue(value) == kind))
            {
                ReportAbout(parts, kind, "it is not compared with the values of enum and const");
            }
        }

        bool[] isKept = [.. fitting.Select(value => !IsScalar(value) || Accepts(parts, value))];
        JsonElement[] kept = [.. fitting.Where((_, index) => isKept[index])];
        if (kept.Length == 0)
        {
            _contradiction ??= parts[0].Pointer;
        }

        rule.Add(Register(new LiteralRule([.. kept.Where(IsScalar).Select(Spell)])));
        foreach (JsonElement value in kept.Where(value => !IsScalar(value)))
        {
            rule.Add(Exactly(value));
        }
    }

    private void ReportAbout(List<SchemaPart> parts, SchemaTypes kind, string reason)
    {
        foreach (SchemaPart part in parts)
        {
            foreach (string keyword in SchemaKeywords.About(part, kind))
            {
                _report.Add(part, keyword, reason);
            }
        }
    }

    // The other keywords are compiled by themselves, and what they accept is kept.
    private bool Accepts(List<SchemaPart> parts, JsonElement value)
    {
        SchemaTypes type = SchemaKeywords.TypeOfValue(value);
        SchemaTypes kind = (type & SchemaTypes.Number) != 0 ? SchemaTypes.Number : type;
        if (kind is SchemaTypes.Boolean or SchemaTypes.Null || !parts.Any(part => SchemaKeywords.About(part, kind).Any()))
        {
            return true;
        }

        GrammarRule rule = kind == SchemaTypes.String ? StringOf(parts) : NumberOf(parts, isInteger: false);
        if (rule.Height == GrammarRule.Impossible)
        {
            return false;
        }

        GrammarNodes nodes = new();
        GrammarNode node = nodes.Of(rule);
        foreach (byte part in Spell(value))
        {
            node = nodes.Step(node, part);
        }

        return node.IsNullable;
    }

    private GrammarRule Exactly(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                Dictionary<string, JsonElement> members = [];
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    members[property.Name] = property.Value;
                }

                ObjectProperty[] properties =
                    [.. members.Select(member => new ObjectProperty(KeyOf(member.Key), Exactly(member.Value), IsRequired: true))];
                return Register(new ObjectRule(properties, others: null, new ByteTrie()));
            case JsonValueKind.Array:
                GrammarRule[] items = [.. value.EnumerateArray().Select(Exactly)];
                return Register(new ArrayRule(items, new LiteralRule(), items.Length, items.Length));
            default:
                return Register(new LiteralRule(Spell(value)));
        }
    }

    private static bool IsScalar(JsonElement value) => value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array);

    private static byte[] Spell(JsonElement value) => value.ValueKind == JsonValueKind.String
        ? [(byte)'"', .. JsonCharacters.Spell(value.GetString()!), (byte)'"']
        : Encoding.UTF8.GetBytes(value.GetRawText());

    private static LiteralRule KeyOf(string name) => new([(byte)'"', .. JsonCharacters.Spell(name), (byte)'"', (byte)':']);
}
