using System.Text.Json;

namespace KimiLinear.ToolCalls;

/// <summary>Arguments that are a JSON object, looked at from outside: which keys, and does it name a tool.</summary>
internal sealed class ArgumentObject
{
    private const string NameKey = "name";

    private readonly string _json;
    private readonly Dictionary<string, JsonProperty> _members;

    private ArgumentObject(string json, Dictionary<string, JsonProperty> members)
    {
        _json = json;
        _members = members;
    }

    public IEnumerable<string> Keys => _members.Keys;

    /// <summary>The string under "name", if there is one.</summary>
    public string? Name => _members.TryGetValue(NameKey, out JsonProperty name) ? Text(name.Value) : null;

    /// <summary>Reads <paramref name="json"/>; <see langword="null"/> if it is anything but one object of valid text.</summary>
    public static ArgumentObject? TryParse(string json)
    {
        try
        {
            JsonElement root = JsonElement.Parse(json);
            if (root.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            Dictionary<string, JsonProperty> members = new(StringComparer.Ordinal);
            foreach (JsonProperty member in root.EnumerateObject())
            {
                members[member.Name] = member;
            }

            return new ArgumentObject(json, members);
        }
        catch (Exception exception) when (IsUnreadable(exception))
        {
            return null;
        }
    }

    /// <summary>
    /// The keys of the object under <paramref name="key"/>, or <see langword="null"/> if there is no such object.
    /// </summary>
    public IReadOnlyCollection<string>? KeysOf(string key) =>
        _members.TryGetValue(key, out JsonProperty member) ? TryParse(member.Value.GetRawText())?._members.Keys : null;

    /// <summary>
    /// The arguments without the envelope that named the tool: what lies under "arguments" or "parameters" if that is all there
    /// is besides the name, otherwise all members but the name. A key the tool itself knows is no envelope.
    /// </summary>
    public string WithoutName(IReadOnlySet<string> parameterNames)
    {
        if (parameterNames.Contains(NameKey))
        {
            return _json;
        }

        JsonProperty[] others = [.. _members.Where(member => member.Key != NameKey).Select(member => member.Value)];
        if (others is [var inner] && inner.Name is "arguments" or "parameters" && !parameterNames.Contains(inner.Name))
        {
            if (inner.Value.ValueKind == JsonValueKind.Object)
            {
                return inner.Value.GetRawText();
            }

            if (Text(inner.Value) is { } text)
            {
                return text;
            }
        }

        return "{" + string.Join(", ", others) + "}";
    }

    private static string? Text(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException exception) when (IsUnreadable(exception))
        {
            return null;
        }
    }

    // Besides bad JSON: half surrogate pairs, in the text itself (ArgumentException) or escaped (InvalidOperationException).
    private static bool IsUnreadable(Exception exception) =>
        exception is JsonException or ArgumentException or InvalidOperationException;
}
