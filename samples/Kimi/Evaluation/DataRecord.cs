using System.Text.Json;
using Kimi.CommandLine;

namespace Kimi.Evaluation;

/// <summary>One object of a data file, and where it stands.</summary>
internal sealed class DataRecord
{
    /// <param name="json">The value.</param>
    /// <param name="where">File and line, to begin a message with.</param>
    /// <param name="index">Its place among the records, from 0.</param>
    /// <exception cref="CommandException">The value is no object.</exception>
    public DataRecord(JsonElement json, string where, int index)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new CommandException($"{where} must be a JSON object.");
        }

        try
        {
            // Names are decoded only when they are asked for, and then all of them are.
            foreach (JsonProperty property in json.EnumerateObject())
            {
                _ = property.Name;
            }
        }
        catch (InvalidOperationException exception)
        {
            throw new CommandException(
                $"{where} has a field whose name is no text: it holds half of a surrogate pair, or bytes that are not "
                + "UTF-8.",
                exception);
        }

        Json = json;
        Where = where;
        Index = index;
    }

    public JsonElement Json { get; }

    public string Where { get; }

    public int Index { get; }

    public bool Has(string name) => Json.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>A field of any kind.</summary>
    /// <exception cref="CommandException">There is no such field.</exception>
    public JsonElement Field(string name) => Has(name)
        ? Json.GetProperty(name)
        : throw new CommandException($"{Where} has no \"{name}\"; it has {FieldNames()}. Is it another benchmark's file?");

    /// <summary>A field that must be a string.</summary>
    public string Text(string name) => JsonText.ReadString(Field(name), $"{Where}: \"{name}\"");

    /// <summary>The first of some fields that is there, as a string; a number as it is written.</summary>
    public string TextOrNumber(params string[] names)
    {
        string name = names.FirstOrDefault(Has) ?? names[0];
        JsonElement value = Field(name);
        return value.ValueKind == JsonValueKind.Number ? value.GetRawText() : Text(name);
    }

    /// <summary>A string or a number that may be missing.</summary>
    public string? OptionalText(params string[] names) => names.Any(Has) ? TextOrNumber(names) : null;

    /// <summary>Some fields that are there, as groups of the item.</summary>
    public Dictionary<string, string> Groups(params string[] names) =>
        names.Where(Has).ToDictionary(name => name, name => TextOrNumber(name));

    /// <summary>Refuses the record.</summary>
    public CommandException Broken(string what) => new($"{Where} {what}");

    private string FieldNames()
    {
        string[] names = [.. Json.EnumerateObject().Select(property => $"\"{property.Name}\"").Take(12)];
        return names.Length == 0 ? "no fields" : string.Join(", ", names);
    }
}
