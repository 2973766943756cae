using System.Text.Json;
using System.Text.Unicode;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Reads the JSON text of a safetensors header into entries; whether they fit the file is not its business.</summary>
internal ref struct SafetensorsHeaderParser
{
    // A header is an object of objects with lists: three levels. A few more let unknown values be skipped.
    private const int MaxDepth = 16;

    // No tensor of this family has more than four axes; a header with thousands is not worth the memory.
    private const int MaxRank = 32;

    private readonly string _filePath;
    private Utf8JsonReader _reader;

    private SafetensorsHeaderParser(ReadOnlySpan<byte> json, string filePath)
    {
        _filePath = filePath;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
    }

    /// <summary>Parses a header.</summary>
    /// <exception cref="CheckpointFormatException">It is not a safetensors header.</exception>
    public static List<SafetensorsEntry> Parse(ReadOnlySpan<byte> json, string filePath)
    {
        if (!Utf8.IsValid(json))
        {
            throw new CheckpointFormatException(
                $"The header of '{filePath}' is not UTF-8 text. The file is damaged or no safetensors file.", filePath);
        }

        if (json.IsEmpty || json[0] != (byte)'{')
        {
            throw new CheckpointFormatException(
                $"The header of '{filePath}' must be a JSON object that begins at once. The file is damaged or no safetensors "
                + "file.",
                filePath);
        }

        SafetensorsHeaderParser parser = new(json, filePath);
        try
        {
            return parser.ParseEntries();
        }
        catch (JsonException exception)
        {
            throw new CheckpointFormatException(
                $"The header of '{filePath}' is not valid JSON: {exception.Message} The file is damaged or no safetensors file.",
                filePath, exception);
        }
    }

    /// <summary>Reads the notes of a header that <see cref="Parse"/> accepts; none when it has none.</summary>
    public static IReadOnlyDictionary<string, string> ParseNotes(ReadOnlySpan<byte> json)
    {
        Dictionary<string, string> notes = [];
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        _ = reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isNotes = reader.ValueTextEquals(SafetensorsHeader.MetadataKey);
            _ = reader.Read();
            if (!isNotes)
            {
                reader.Skip();
                continue;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string key = reader.GetString()!;
                _ = reader.Read();
                notes[key] = reader.GetString()!;
            }
        }

        return notes;
    }

    private List<SafetensorsEntry> ParseEntries()
    {
        List<SafetensorsEntry> entries = [];
        HashSet<string> names = [];
        _ = _reader.Read();
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text();
            if (!names.Add(name))
            {
                throw Refuse($"{name} occurs more than once in the header of '{_filePath}'.");
            }

            _ = _reader.Read();
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                throw Refuse($"{name} must be a JSON object in the header of '{_filePath}', but is {_reader.TokenType}.");
            }

            if (name == SafetensorsHeader.MetadataKey)
            {
                SkipMetadata();
            }
            else
            {
                entries.Add(ParseEntry(name));
            }
        }

        // Reading on makes the reader refuse anything but white space after the object.
        _ = _reader.Read();
        return entries;
    }

    private void SkipMetadata()
    {
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            _ = _reader.Read();
            if (_reader.TokenType != JsonTokenType.String)
            {
                throw Refuse(
                    $"{SafetensorsHeader.MetadataKey} must map strings to strings in '{_filePath}', but has a value that is "
                    + $"{_reader.TokenType}.");
            }
        }
    }

    private SafetensorsEntry ParseEntry(string name)
    {
        SafetensorsDataType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text();
            _ = _reader.Read();
            switch (key)
            {
                case "dtype" when type is null:
                    type = ParseType(name);
                    break;
                case "shape" when shape is null:
                    shape = ParseNumbers(name, key);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ParseNumbers(name, key);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Refuse($"{name} has more than one {key} in '{_filePath}'.");
                default:
                    _reader.Skip();
                    break;
            }
        }

        if (type is null || shape is null || offsets is null)
        {
            string missing = type is null ? "dtype" : shape is null ? "shape" : "data_offsets";
            throw Refuse($"{name} has no {missing} in the header of '{_filePath}'.");
        }

        if (offsets.Length != 2)
        {
            throw Refuse($"{name} must have two data_offsets in '{_filePath}', but has {offsets.Length}.");
        }

        return new SafetensorsEntry(name, type, CountableShape(name, shape), offsets[0], offsets[1]);
    }

    private SafetensorsDataType ParseType(string name)
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            throw Refuse($"The dtype of {name} must be a string in '{_filePath}', but is {_reader.TokenType}.");
        }

        string word = Text();
        return SafetensorsDataType.Find(word) ?? throw Refuse($"{name} has the unknown dtype '{word}' in '{_filePath}'.");
    }

    private long[] ParseNumbers(string name, string key)
    {
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw Refuse($"The {key} of {name} must be a list in '{_filePath}', but is {_reader.TokenType}.");
        }

        List<long> numbers = [];
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetInt64(out long number) || number < 0)
            {
                throw Refuse(
                    $"The {key} of {name} must be whole numbers from 0 to {long.MaxValue} in '{_filePath}', but one is not.");
            }

            numbers.Add(number);
            if (numbers.Count > MaxRank)
            {
                throw Refuse($"The {key} of {name} has more than {MaxRank} numbers in '{_filePath}'.");
            }
        }

        return [.. numbers];
    }

    private readonly Shape CountableShape(string name, long[] lengths)
    {
        Shape shape = new(lengths);
        try
        {
            _ = shape.ElementCount;
            return shape;
        }
        catch (OverflowException)
        {
            throw Refuse($"{name} has the shape {shape} in '{_filePath}', more values than can be counted.");
        }
    }

    // Text is valid UTF-8 by now, but an escape such as \ud800 can still name half a character.
    private readonly string Text()
    {
        try
        {
            return _reader.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new CheckpointFormatException(
                $"The header of '{_filePath}' holds a name that is no text.", _filePath, exception);
        }
    }

    private readonly CheckpointFormatException Refuse(string message) => new(message, _filePath);
}
