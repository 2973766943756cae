using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KimiLinear.Tests.Sampling;

/// <summary>Changes one place of a JSON value: another value, a property less or more, an item less or twice.</summary>
/// <remarks>The order of properties stays, and what is put in is spelled canonically.</remarks>
internal sealed class JsonChanges(int seed)
{
    private readonly Random _random = new(seed);

    public JsonNode? Change(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } members when _random.Next(4) > 0:
                string key = members.ElementAt(_random.Next(members.Count)).Key;
                if (_random.Next(4) == 0)
                {
                    members.Remove(key);
                }
                else
                {
                    JsonNode? member = members[key];
                    members[key] = null;
                    members[key] = Change(member);
                }

                return members;
            case JsonObject members when _random.Next(2) == 0:
                members["zz9"] = Value();
                return members;
            case JsonArray { Count: > 0 } items when _random.Next(4) > 0:
                int index = _random.Next(items.Count);
                JsonNode? item = items[index];
                items.RemoveAt(index);
                if (_random.Next(4) > 0)
                {
                    items.Insert(index, Change(item));
                }

                return items;
            case JsonArray items when _random.Next(2) == 0:
                items.Add(items.Count > 0 ? items[^1]?.DeepClone() : Value());
                return items;
            case JsonValue value when value.GetValueKind() == JsonValueKind.String && _random.Next(2) == 0:
                return ChangeText(value.GetValue<string>());
            default:
                return Value();
        }
    }

    private string ChangeText(string text)
    {
        int index = _random.Next(text.Length + 1);
        if (text.Length == 0 || _random.Next(2) == 0)
        {
            return text.Insert(char.IsLowSurrogate(text.ElementAtOrDefault(index)) ? 0 : index, _random.Next(3) == 0 ? "b" : "7");
        }

        // Not half of a pair.
        index = Math.Min(index, text.Length - 1);
        return char.IsSurrogate(text[index]) ? "" : text.Remove(index, 1);
    }

    private JsonNode? Value() => _random.Next(9) switch
    {
        0 => null,
        1 => _random.Next(2) == 0,
        2 => _random.Next(-30, 30),
        3 => JsonNode.Parse(string.Create(CultureInfo.InvariantCulture, $"{_random.Next(-12, 12)}.{_random.Next(1, 10)}")),
        4 => "",
        5 => "abc",
        6 => _random.Next(2000, 3000).ToString(CultureInfo.InvariantCulture),
        7 => new JsonArray(),
        _ => new JsonObject(),
    };
}
