using System.Numerics;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <content>Strings and numbers.</content>
internal sealed partial class SchemaCompiler
{
    // A state takes a few hundred bytes and a few microseconds to make: of one automaton, and of all of a schema.
    private const int MaxAutomatonStates = 40_000;
    private const int MaxSchemaStates = 100_000;
    private const string PatternReason = "it uses what is not supported, or is too large";
    private const string DigitsReason = "the number has too many digits";

    // As many as float64 holds faithfully, and as fit an Int64.
    private const int SignificantDigits = 15;
    private const int IntegerDigits = 18;

    // An automaton of numbers keeps a bit for each length.
    private const int MaxDigits = 60;

    private readonly Dictionary<string, CodePointAutomaton?> _patterns = [];
    private readonly Dictionary<DecimalRange, CodePointAutomaton?> _ranges = [];
    private readonly Dictionary<(CodePointAutomaton Left, CodePointAutomaton Right), CodePointAutomaton?> _intersections = [];
    private readonly Dictionary<(CodePointAutomaton Text, int Minimum, int Maximum), CodePointAutomaton?> _bounded = [];
    private int _statesLeft = MaxSchemaStates;

    private GrammarRule StringOf(List<SchemaPart> parts)
    {
        int minimum = parts.Max(part => part.Count("minLength")) ?? 0;
        int maximum = parts.Min(part => part.Count("maxLength")) ?? GrammarNodes.Unlimited;
        CodePointAutomaton? text = null;
        foreach (SchemaPart part in parts)
        {
            if (part.Text("pattern") is { } pattern)
            {
                text = And(text, AutomatonOf(pattern), part, "pattern", PatternReason);
            }

            if (part.Text("format") is { } format)
            {
                CodePointAutomaton? added = StringFormats.Find(format, _options.UseLocalTimes);
                text = And(text, added, part, "format", $"'{format}' is not supported, or too large with other keywords");
            }
        }

        if (text is null)
        {
            return Register(new StringRule(minimum, maximum));
        }

        CodePointAutomaton? bounded = WithLength(text, minimum, maximum);
        if (bounded is null)
        {
            ReportEach(parts, ["minLength", "maxLength"], "it is too large together with a pattern");
        }

        return Register(new RegularRule(bounded ?? text, isString: true));
    }

    private CodePointAutomaton? And(
        CodePointAutomaton? text, CodePointAutomaton? added, SchemaPart part, string keyword, string reason)
    {
        CodePointAutomaton? both =
            added is null ? null : text is null ? added : Intersect(text, added);
        if (both is null)
        {
            _report.Add(part, keyword, reason);
        }

        return both ?? text;
    }

    private CodePointAutomaton? AutomatonOf(string pattern) => Once(
        _patterns,
        pattern,
        () => PatternParser.TryParse(pattern) is { } root ? Explore(limit => PatternCompiler.TryCompile(root, limit)) : null);

    private CodePointAutomaton? AutomatonOf(DecimalRange range) => Once(_ranges, range, () => Explore(range.ToAutomaton));

    private CodePointAutomaton? Intersect(CodePointAutomaton left, CodePointAutomaton right) =>
        Once(_intersections, (left, right), () => Explore(limit => left.Intersect(right, limit)));

    private CodePointAutomaton? WithLength(CodePointAutomaton text, int minimum, int maximum) => minimum == 0 && maximum < 0
        ? text
        : Once(_bounded, (text, minimum, maximum), () => Explore(limit => text.WithLength(minimum, maximum, limit)));

    // What could not be made is remembered too: trying again would cost as much.
    private static CodePointAutomaton? Once<TKey>(
        Dictionary<TKey, CodePointAutomaton?> known, TKey key, Func<CodePointAutomaton?> make)
        where TKey : notnull
    {
        if (!known.TryGetValue(key, out CodePointAutomaton? automaton))
        {
            automaton = make();
            known.Add(key, automaton);
        }

        return automaton;
    }

    // Null where the automaton, or all of the schema together, would have too many states.
    private CodePointAutomaton? Explore(Func<int, CodePointAutomaton?> make)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        int limit = Math.Min(MaxAutomatonStates, _statesLeft);
        CodePointAutomaton? made = make(limit);
        _statesLeft = Math.Max(0, _statesLeft - (made?.ExploredCount ?? limit));
        return made;
    }

    private GrammarRule NumberOf(List<SchemaPart> parts, bool isInteger)
    {
        string[] keywords = [.. parts.SelectMany(part => SchemaKeywords.About(part, SchemaTypes.Number))];
        if (keywords.Length == 0 && !isInteger)
        {
            return Register(new NumberRule());
        }

        List<DecimalText> steps = [.. parts.Select(part => Step(part, Read)).OfType<DecimalText>()];
        CodePointAutomaton? digits = AutomatonOf(RangeOf(parts, isInteger, steps));
        if (digits is null)
        {
            ReportEach(parts, ["multipleOf"], "its digits are too many");
            digits = RangeOf(parts, isInteger, []).ToAutomaton(int.MaxValue)!;
        }

        return Register(new RegularRule(digits, isString: false));
    }

    private DecimalRange RangeOf(List<SchemaPart> parts, bool isInteger, List<DecimalText> steps)
    {
        (DecimalText Value, bool IsExclusive)[] lowest =
            [.. parts.SelectMany(part => Bounds(part, "minimum", "exclusiveMinimum", Read))];
        (DecimalText Value, bool IsExclusive)[] highest =
            [.. parts.SelectMany(part => Bounds(part, "maximum", "exclusiveMaximum", Read))];
        int fractionDigits = isInteger ? 0
            : steps.Count > 0 ? steps.Max(step => Math.Max(-step.Exponent, 0))
            : lowest.Concat(highest).Select(bound => -bound.Value.Exponent).Append(SignificantDigits).Max();

        BigInteger minimum = lowest.Select(bound => Up(bound.Value, bound.IsExclusive, fractionDigits))
            .DefaultIfEmpty(-BigInteger.Pow(10, MaxDigits)).Max();
        BigInteger maximum = highest.Select(bound => Down(bound.Value, bound.IsExclusive, fractionDigits))
            .DefaultIfEmpty(BigInteger.Pow(10, MaxDigits)).Min();
        BigInteger smallest = minimum.Sign > 0 ? minimum : maximum.Sign < 0 ? -maximum : 0;
        int significantDigits = Math.Max(
            isInteger ? IntegerDigits : SignificantDigits,
            Math.Max(DecimalRange.Length(smallest / BigInteger.Pow(10, fractionDigits)), fractionDigits));
        BigInteger limit = BigInteger.Pow(10, significantDigits + fractionDigits) - 1;
        return new DecimalRange(
            BigInteger.Max(minimum, -limit),
            BigInteger.Min(maximum, limit),
            CommonStep(steps, fractionDigits),
            fractionDigits,
            significantDigits);
    }

    // The least common multiple, in units of the last digit; steps may be finer than that.
    private static BigInteger CommonStep(List<DecimalText> steps, int fractionDigits)
    {
        int finest = steps.Select(step => -step.Exponent).Append(fractionDigits).Max();
        var unit = BigInteger.Pow(10, finest - fractionDigits);
        BigInteger common = steps.Select(step => step.InUnits(finest).Units)
            .Aggregate(unit, (least, next) => least / BigInteger.GreatestCommonDivisor(least, next) * next);
        return common / unit;
    }

    private static IEnumerable<(DecimalText Value, bool IsExclusive)> Bounds(
        SchemaPart part, string keyword, string exclusiveKeyword, Func<SchemaPart, string, DecimalText?> read)
    {
        // Draft 4 had a Boolean that makes the other keyword exclusive.
        bool isExclusive = part.TryGet(exclusiveKeyword, out JsonElement exclusive) && exclusive.ValueKind == JsonValueKind.True;
        if (part.Has(keyword) && read(part, keyword) is { } bound)
        {
            yield return (bound, isExclusive);
        }

        if (exclusive.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.True or JsonValueKind.False)
            && read(part, exclusiveKeyword) is { } exclusiveBound)
        {
            yield return (exclusiveBound, true);
        }
    }

    private static DecimalText? Step(SchemaPart part, Func<SchemaPart, string, DecimalText?> read)
    {
        DecimalText? step = part.Has("multipleOf") ? read(part, "multipleOf") : null;
        return step is null || step.Value.Digits.Sign > 0 ? step : throw part.Error("multipleOf", "must be above 0");
    }

    // A number that is compared with listed ones, of any size.
    private DecimalText? ReadExactly(SchemaPart part, string keyword)
    {
        DecimalText? number = DecimalText.Parse(Number(part, keyword));
        if (number is null)
        {
            _report.Add(part, keyword, DigitsReason);
        }

        return number;
    }

    // A number that an automaton is made of.
    private DecimalText? Read(SchemaPart part, string keyword)
    {
        DecimalText? number = DecimalText.Parse(Number(part, keyword));
        bool isUsable = number is { } parsed
            && DecimalRange.Length(BigInteger.Abs(parsed.Digits)) + Math.Abs(parsed.Exponent) <= MaxDigits / 2;

        // No number is written that reaches the limits of float64.
        int outside = keyword is "maximum" or "exclusiveMaximum" ? 1 : -1;
        bool isFarOut = keyword != "multipleOf" && number is { Exponent: > 0 } far && far.Digits.Sign == outside;
        if (!isUsable && !isFarOut)
        {
            _report.Add(part, keyword, DigitsReason);
        }

        return isUsable ? number : null;
    }

    private static JsonElement Number(SchemaPart part, string keyword)
    {
        part.TryGet(keyword, out JsonElement value);
        return value.ValueKind == JsonValueKind.Number ? value : throw part.Error(keyword, "must be a number");
    }

    private void ReportEach(List<SchemaPart> parts, string[] keywords, string reason)
    {
        foreach (SchemaPart part in parts)
        {
            foreach (string keyword in keywords.Where(part.Has))
            {
                _report.Add(part, keyword, reason);
            }
        }
    }

    private static BigInteger Up(DecimalText value, bool isExclusive, int fractionDigits)
    {
        (BigInteger units, bool isExact) = value.InUnits(fractionDigits);
        return isExact && !isExclusive ? units : units + 1;
    }

    private static BigInteger Down(DecimalText value, bool isExclusive, int fractionDigits)
    {
        (BigInteger units, bool isExact) = value.InUnits(fractionDigits);
        return isExact && isExclusive ? units - 1 : units;
    }
}
