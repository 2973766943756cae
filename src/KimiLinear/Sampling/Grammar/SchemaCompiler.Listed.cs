using System.Text.Json;

namespace KimiLinear.Sampling;

/// <content>
/// What the keywords about strings and numbers leave of listed values: asked of each value as it is, so that no limit of what can
/// be written counts.
/// </content>
internal sealed partial class SchemaCompiler
{
    private static IEnumerable<JsonElement> KeepOf(
        JsonElement[] values, JsonValueKind kind, List<SchemaPart> parts, Func<List<SchemaPart>, Func<JsonElement, bool>> testOf)
    {
        JsonElement[] ofKind = [.. values.Where(value => value.ValueKind == kind)];
        return ofKind.Length == 0 ? [] : ofKind.Where(testOf(parts));
    }

    private Func<JsonElement, bool> TextTest(List<SchemaPart> parts)
    {
        int minimum = parts.Max(part => part.Count("minLength")) ?? 0;
        int maximum = parts.Min(part => part.Count("maxLength")) ?? int.MaxValue;
        List<Func<string, bool>> tests = [text => text.EnumerateRunes().Count() is int length && length >= minimum && length <= maximum];
        foreach (SchemaPart part in parts)
        {
            if (part.Text("pattern") is { } pattern)
            {
                Add(tests, AutomatonOf(pattern), part, "pattern", PatternReason);
            }

            if (part.Text("format") is { } format)
            {
                CodePointAutomaton? forms = StringFormats.Find(format, _options.UseLocalTimes);
                Add(tests, forms, part, "format", $"'{format}' is not supported", text => StringFormats.IsCertain(format, text));
            }
        }

        return value => tests.TrueForAll(test => test(value.GetString()!));
    }

    private void Add(
        List<Func<string, bool>> tests, CodePointAutomaton? texts, SchemaPart part, string keyword, string reason,
        Func<string, bool>? isCertain = null)
    {
        if (texts is null)
        {
            _report.Add(part, keyword, reason);
            return;
        }

        tests.Add(text =>
        {
            bool fits = texts.Matches(text);
            bool isOpen = !fits && isCertain?.Invoke(text) == false;
            if (isOpen)
            {
                _report.Add(part, keyword, $"whether the listed value '{text}' fits cannot be told");
            }

            return fits || isOpen;
        });
    }

    private Func<JsonElement, bool> NumberTest(List<SchemaPart> parts)
    {
        (DecimalText Value, bool IsExclusive)[] lowest =
            [.. parts.SelectMany(part => Bounds(part, "minimum", "exclusiveMinimum", ReadExactly))];
        (DecimalText Value, bool IsExclusive)[] highest =
            [.. parts.SelectMany(part => Bounds(part, "maximum", "exclusiveMaximum", ReadExactly))];
        DecimalText[] steps = [.. parts.Select(part => Step(part, ReadExactly)).OfType<DecimalText>()];
        bool isFree = lowest.Length + highest.Length + steps.Length == 0;
        return value => isFree
            || (DecimalText.Parse(value, DecimalText.MaxComparedExponent) is { } number ? Fits(number) : KeepUnread());

        bool Fits(DecimalText number) =>
            lowest.All(bound => number.CompareTo(bound.Value) >= (bound.IsExclusive ? 1 : 0))
            && highest.All(bound => bound.Value.CompareTo(number) >= (bound.IsExclusive ? 1 : 0))
            && steps.All(number.IsMultipleOf);

        bool KeepUnread()
        {
            ReportAbout(parts, SchemaTypes.Number, "whether a listed number of such a size fits cannot be told");
            return true;
        }
    }
}
