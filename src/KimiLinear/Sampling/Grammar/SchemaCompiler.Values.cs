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

        JsonElement[] kept =
        [
            .. KeepOf(fitting, JsonValueKind.String, parts, TextTest),
            .. KeepOf(fitting, JsonValueKind.Number, parts, NumberTest),
            .. fitting.Where(value => value.ValueKind is not (JsonValueKind.String or JsonValueKind.Number)),
        ];
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
