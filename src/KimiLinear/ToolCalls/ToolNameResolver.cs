using System.Text.RegularExpressions;

namespace KimiLinear.ToolCalls;

/// <summary>Finds out which of the declared tools a call means, whatever form of id the model chose.</summary>
/// <remarks>
/// An id that names a tool which is not declared is never taken for another tool: calling the wrong one may do harm. Only an id
/// that names nothing (a counter, an opaque id) lets the arguments decide.
/// </remarks>
internal sealed partial class ToolNameResolver
{
    private const string UnderscorePrefix = "functions_";

    private readonly IReadOnlyList<ToolDeclaration> _tools;
    private readonly Dictionary<string, ToolDeclaration> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ToolDeclaration> _bySanitizedName = new(StringComparer.Ordinal);

    public ToolNameResolver(IReadOnlyList<ToolDeclaration> tools)
    {
        foreach (ToolDeclaration tool in tools)
        {
            _byName.TryAdd(tool.Name, tool);
        }

        _tools = [.. _byName.Values];
        foreach (IGrouping<string, ToolDeclaration> alike in _tools.GroupBy(tool => Sanitize(tool.Name)))
        {
            if (alike.Count() == 1)
            {
                _bySanitizedName.Add(alike.Key, alike.Single());
            }
        }
    }

    /// <summary>
    /// The name of the tool that <paramref name="id"/> names, or <see langword="null"/> if it names no declared one.
    /// </summary>
    public string? FromId(string id) => (Resolve(id.Trim()) ?? Resolve(Whitespace().Replace(id, "")))?.Name;

    private ToolDeclaration? Resolve(string id)
    {
        string stem = ColonIndex().Replace(id, "");
        ToolDeclaration? tool = Find(WithoutPrefix(stem)) ?? Find(stem) ?? Find(WithoutPrefix(id)) ?? Find(id);
        if (tool is null && stem.StartsWith(UnderscorePrefix, StringComparison.Ordinal))
        {
            string body = stem[UnderscorePrefix.Length..];
            tool = FindSanitized(UnderscoreIndex().Replace(body, "")) ?? FindSanitized(body);
        }

        return tool ?? Find(stem[(stem.LastIndexOf('.') + 1)..]);
    }

    /// <summary>
    /// The tool and arguments of a call whose id names no declared tool: the arguments may hold the name, or fit one tool only.
    /// </summary>
    public (string Name, string Arguments)? FromArguments(string id, string arguments)
    {
        bool namesNothing = NamesNothing().IsMatch(id);
        ArgumentObject? members = ArgumentObject.TryParse(arguments);
        if (members?.Name is { } name && Find(name) is { } named)
        {
            return (named.Name, members.WithoutName(ParameterNames(named)));
        }

        if (!namesNothing)
        {
            return null;
        }

        ToolDeclaration? guess = _tools.Count == 1 ? _tools[0] : members is null ? null : BestFit(members);
        return guess is null ? null : (guess.Name, arguments);
    }

    // The tool that knows more of the keys than it lacks, if no other does as well.
    private ToolDeclaration? BestFit(ArgumentObject arguments)
    {
        (ToolDeclaration Tool, int Score)[] ranked =
        [
            .. _tools.Select(tool => (tool, Score(tool))).OrderByDescending(candidate => candidate.Item2).Take(2),
        ];
        bool isClear = ranked.Length > 0 && ranked[0].Score > 0 && (ranked.Length == 1 || ranked[0].Score > ranked[1].Score);
        return isClear ? ranked[0].Tool : null;

        int Score(ToolDeclaration tool)
        {
            HashSet<string> known = ParameterNames(tool);
            return arguments.Keys.Sum(key => known.Contains(key) ? 1 : -1);
        }
    }

    private static HashSet<string> ParameterNames(ToolDeclaration tool) =>
        tool.Parameters is { } schema && ArgumentObject.TryParse(schema.GetRawText())?.KeysOf("properties") is { } names
            ? [.. names]
            : [];

    private ToolDeclaration? Find(string name) => _byName.GetValueOrDefault(name);

    private ToolDeclaration? FindSanitized(string name) => Find(name) ?? _bySanitizedName.GetValueOrDefault(name);

    private static string WithoutPrefix(string id) =>
        id.StartsWith(NativeCallId.Prefix, StringComparison.Ordinal) ? id[NativeCallId.Prefix.Length..] : id;

    private static string Sanitize(string name) => NotSafe().Replace(name, "_");

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();

    [GeneratedRegex(":[0-9]+$")]
    private static partial Regex ColonIndex();

    [GeneratedRegex("_[0-9]+$")]
    private static partial Regex UnderscoreIndex();

    // What clients make of a name that must fit [A-Za-z0-9_-].
    [GeneratedRegex("[^A-Za-z0-9_-]")]
    private static partial Regex NotSafe();

    // Nothing, a counter, or an id as other services make them: call_abc, call123, toolu_…, chatcmpl-tool-…, a GUID.
    [GeneratedRegex(
        @"^(?:(?:functions[._]?)?:?[0-9]*|call[0-9]+(?::[0-9]+)?|(?:call[_-]|toolu_|chatcmpl-tool-)[^:]+|[0-9A-Fa-f-]{32,36})$")]
    private static partial Regex NamesNothing();
}
