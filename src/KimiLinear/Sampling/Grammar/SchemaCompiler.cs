using System.Globalization;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>
/// Makes rules of a JSON schema. A rule stands for a set of schemas that all hold for one value: <c>$ref</c> and <c>allOf</c> add
/// to the set, <c>anyOf</c> and <c>oneOf</c> spread it over several rules.
/// </summary>
internal sealed partial class SchemaCompiler
{
    // Beyond this a schema multiplies alternatives without end in sight.
    private const int MaxRules = 20_000;

    // Of all kinds together, those of listed objects and arrays too.
    private const int MaxAllRules = 100_000;

    // Schemas are walked by calls inside calls, which a thread's stack must hold.
    private const int MaxSchemaDepth = 500;

    private static readonly string[] ChoiceKeywords = ["anyOf", "oneOf"];
    private static readonly string[] UnsupportedKeywords = ["not", "if", "$dynamicRef", "$recursiveRef"];

    private readonly JsonGrammarOptions _options;
    private readonly SchemaReferences _references;
    private readonly SchemaOverlap _overlap;
    private readonly SchemaReport _report;
    private readonly CancellationToken _cancellationToken;
    private readonly Dictionary<string, ChoiceRule> _rules = [];
    private readonly Queue<(ChoiceRule Rule, IReadOnlyList<SchemaPart> Parts)> _pending = [];
    private readonly List<GrammarRule> _allRules = [];
    private string? _contradiction;

    private SchemaCompiler(JsonElement root, JsonGrammarOptions options, CancellationToken cancellationToken)
    {
        _cancellationToken = cancellationToken;
        _options = options;
        _references = new SchemaReferences(root);
        _overlap = new SchemaOverlap(_references, cancellationToken);
        _report = new SchemaReport(options.IsStrict);
    }

    /// <summary>Compiles a schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="options">What to do where there is a choice.</param>
    /// <param name="isObject">Whether the value must be an object, whatever the schema says.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="JsonException">The schema is malformed, or no value fits it.</exception>
    /// <exception cref="NotSupportedException">A keyword cannot be enforced and the options are strict.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CompiledSchema Compile(
        JsonElement schema, JsonGrammarOptions options, bool isObject, CancellationToken cancellationToken)
    {
        SchemaPart root = new(SchemaPart.RequireSchema(schema, "#"), "#");
        RequireText(schema, MaxSchemaDepth);
        SchemaCompiler compiler = new(schema, options, cancellationToken);
        List<SchemaPart> parts = [root];
        if (isObject)
        {
            // Of the root, which so is all that holds for the value.
            parts.Add(new SchemaPart(JsonElement.Parse("""{"type": "object"}"""), "object", root));
        }

        ChoiceRule rule = compiler.RuleOf(parts);
        compiler.FillAll();
        compiler.UpdateHeights();
        if (rule.Height > options.MaxDepth)
        {
            throw new JsonException(rule.Height == GrammarRule.Impossible
                ? $"No value fits the schema. A contradiction stands at {compiler._contradiction ?? "#"}."
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"Values of the schema are nested {rule.Height} deep at least, but {options.MaxDepth} are allowed."));
        }

        bool hasOtherKeys = compiler._allRules.OfType<ObjectRule>().Any(item => item.HasOthers);
        return new CompiledSchema(rule, hasOtherKeys, compiler._report.Keywords);
    }

    private ChoiceRule RuleOf(IReadOnlyList<SchemaPart> parts)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        IEnumerable<string> names = parts.Select(part => $"{part.Pointer} {string.Join(' ', part.SplitKeywords)}");
        string key = string.Join('\n', names.Distinct().Order(StringComparer.Ordinal));
        if (!_rules.TryGetValue(key, out ChoiceRule? rule))
        {
            if (_rules.Count == MaxRules)
            {
                throw new NotSupportedException(
                    $"The schema needs more than {MaxRules} rules. Combine fewer anyOf, oneOf and allOf.");
            }

            rule = Register(new ChoiceRule());
            _rules.Add(key, rule);
            _pending.Enqueue((rule, parts));
        }

        return rule;
    }

    private TRule Register<TRule>(TRule rule)
        where TRule : GrammarRule
    {
        if (_allRules.Count == MaxAllRules)
        {
            throw new NotSupportedException(
                $"The schema needs more than {MaxAllRules} rules. Make it smaller, and give a type to schemas without one.");
        }

        _allRules.Add(rule);
        return rule;
    }

    private void FillAll()
    {
        while (_pending.TryDequeue(out (ChoiceRule Rule, IReadOnlyList<SchemaPart> Parts) next))
        {
            if (Flatten(next.Parts) is { } parts)
            {
                Fill(next.Rule, parts);
            }
            else
            {
                _contradiction ??= next.Parts[^1].Pointer;
            }
        }
    }

    // Rules come behind those that refer to them, unless in a circle, so this ends after few rounds.
    private void UpdateHeights()
    {
        bool changes = true;
        while (changes)
        {
            changes = false;
            for (int i = _allRules.Count - 1; i >= 0; i--)
            {
                changes |= _allRules[i].UpdateHeight();
            }
        }
    }

    private void Fill(ChoiceRule rule, List<SchemaPart> parts)
    {
        foreach (SchemaPart part in parts)
        {
            foreach (string keyword in UnsupportedKeywords.Where(part.Has))
            {
                _report.Add(part, keyword, "it is not supported");
            }
        }

        foreach (string keyword in ChoiceKeywords)
        {
            int index = parts.FindIndex(part => part.Has(keyword) && !part.SplitKeywords.Contains(keyword));
            if (index >= 0)
            {
                Split(rule, parts, index, keyword);
                return;
            }
        }

        bool isTyped = parts.Any(part => part.Has("type"));
        IReadOnlyList<JsonElement>? values = SchemaKeywords.ValuesOf(parts, _cancellationToken);
        SchemaTypes types = isTyped || values is not null
            ? parts.Aggregate(SchemaTypes.All, (types, part) => types & SchemaKeywords.TypesOf(part))
            : SchemaKeywords.Guess(parts);
        if (types == SchemaTypes.None)
        {
            _contradiction ??= parts[0].Pointer;
        }

        if (values is null)
        {
            AddKinds(rule, parts, types);
        }
        else
        {
            AddValues(rule, parts, types, values);
        }
    }

    private void Split(ChoiceRule rule, List<SchemaPart> parts, int index, string keyword)
    {
        SchemaPart part = parts[index];
        IReadOnlyList<SchemaPart> branches = part.Children(keyword);
        if (branches.Count == 0)
        {
            throw part.Error(keyword, "must have at least one schema");
        }

        if (keyword == "oneOf" && !_overlap.AreDisjoint(part, branches, parts))
        {
            _report.Add(part, keyword, "its schemas may overlap, so that it is taken as anyOf");
        }

        List<SchemaPart> rest = [.. parts];
        rest[index] = part with { SplitKeywords = [.. part.SplitKeywords, keyword] };
        foreach (SchemaPart branch in branches)
        {
            rule.Add(RuleOf([.. rest, branch with { IsBranch = true }]));
        }
    }

    private void AddKinds(ChoiceRule rule, List<SchemaPart> parts, SchemaTypes types)
    {
        if (types.HasFlag(SchemaTypes.Object))
        {
            rule.Add(ObjectOf(parts));
        }

        if (types.HasFlag(SchemaTypes.Array))
        {
            rule.Add(ArrayOf(parts));
        }

        if (types.HasFlag(SchemaTypes.String))
        {
            rule.Add(StringOf(parts));
        }

        if (types.HasFlag(SchemaTypes.Integer))
        {
            rule.Add(NumberOf(parts, isInteger: !types.HasFlag(SchemaTypes.Fraction)));
        }

        if (types.HasFlag(SchemaTypes.Boolean))
        {
            rule.Add(Register(new LiteralRule("true"u8.ToArray(), "false"u8.ToArray())));
        }

        if (types.HasFlag(SchemaTypes.Null))
        {
            rule.Add(Register(new LiteralRule("null"u8.ToArray())));
        }
    }

    // All schemas that hold because these do; null if one of them allows nothing.
    private List<SchemaPart>? Flatten(IReadOnlyList<SchemaPart> parts)
    {
        List<SchemaPart> flat =
            [.. parts.DistinctBy(part => part.Pointer).Where(part => part.Element.ValueKind != JsonValueKind.True)];
        HashSet<string> known = [.. flat.Select(part => part.Pointer)];
        for (int i = 0; i < flat.Count; i++)
        {
            if (flat[i].Element.ValueKind == JsonValueKind.False || ComesBack(flat[i]))
            {
                return null;
            }

            IEnumerable<SchemaPart> added = flat[i].Children("allOf");
            foreach (SchemaPart part in flat[i].Has("$ref") ? added.Append(_references.Resolve(flat[i])) : added)
            {
                if (ComesBack(part))
                {
                    return null;
                }

                if (part.Element.ValueKind != JsonValueKind.True && known.Add(part.Pointer))
                {
                    flat.Add(part);
                }
            }
        }

        return flat;
    }

    // A schema that holds only if it holds adds nothing as an alternative, and says nothing at all otherwise.
    private static bool ComesBack(SchemaPart part)
    {
        bool isBranch = part.IsBranch;
        for (SchemaPart? parent = part.Parent; parent is not null; parent = parent.Parent)
        {
            if (parent.Pointer == part.Pointer)
            {
                return isBranch ? true : throw part.Error("$ref", "leads back to itself without a value in between");
            }

            isBranch |= parent.IsBranch;
        }

        return false;
    }

    private static void RequireText(JsonElement element, int depth)
    {
        if (depth == 0)
        {
            throw new NotSupportedException($"The schema is nested more than {MaxSchemaDepth} deep.");
        }

        try
        {
            foreach (JsonProperty property in element.ValueKind == JsonValueKind.Object ? element.EnumerateObject() : default)
            {
                _ = property.Name;
                RequireText(property.Value, depth - 1);
            }

            foreach (JsonElement item in element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : default)
            {
                RequireText(item, depth - 1);
            }

            _ = element.ValueKind == JsonValueKind.String ? element.GetString() : null;
        }
        catch (InvalidOperationException exception)
        {
            throw new JsonException("The schema holds half of a surrogate pair, which no text can hold.", exception);
        }
    }
}
