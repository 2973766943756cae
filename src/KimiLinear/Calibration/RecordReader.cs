using System.Globalization;
using System.Text;
using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.Configuration;
using KimiLinear.ToolCalls;

namespace KimiLinear.Calibration;

/// <summary>Reads a line of calibration data in one of the forms it knows, which it tells apart by the keys.</summary>
/// <remarks>
/// Besides "messages", "text" and "ids", these are the columns of public data sets that REAP was published with; docs/pruning.md
/// lists them.
/// </remarks>
internal static class RecordReader
{
    private const string Known =
        "'messages', 'text', 'ids', or the columns of a data set that docs/pruning.md names, such as 'instruction' and 'output'";

    // A question, its answer, and what such records are called. The first that fits is taken.
    private static readonly (string Question, string Answer, string Format)[] Pairs =
    [
        ("instruction", "output", "evol-codealpaca"),
        ("instruction", "response", "magicoder-evol-instruct"),
        ("query", "answer", "code-feedback"),
        ("problem", "solution", "numina-math"),
        ("inputs", "targets", "aya"),
        ("prompt", "body", "writing-prompts"),
        ("prompt", "story", "writing-prompts"),
        ("prompt", "completion", "prompt-completion"),
    ];

    /// <exception cref="JsonException">The line is no JSON object, or not in such a form.</exception>
    /// <exception cref="NotSupportedException">A message holds something other than text.</exception>
    /// <exception cref="ArgumentException">A value is not what it may be.</exception>
    public static CalibrationRecord Read(ReadOnlySpan<byte> utf8Line)
    {
        JsonField record = new(Parse(utf8Line), "");
        if (record.Element.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException($"it must be an object, but is {JsonField.Describe(record.Element)}.");
        }

        if (record.Optional("messages") is { } messages)
        {
            return Conversation("messages", messages, record);
        }

        if (record.Optional("ids") is { } ids)
        {
            return new CalibrationRecord { Format = "ids", Ids = [.. ids.Items().Select(ReadId)] };
        }

        if (record.Optional("conversation") is { } conversation)
        {
            return Conversation("wildchat", conversation, record);
        }

        if (record.Optional("query") is { } query && record.Optional("answers") is { } answers)
        {
            return FunctionCalls(query, answers, record);
        }

        if (record.Optional("question") is { } question && record.Optional("choices") is { } choices)
        {
            return MultipleChoice(question, choices, record.Required("answer"));
        }

        foreach ((string questionKey, string answerKey, string format) in Pairs)
        {
            if (record.Optional(questionKey) is { } asked && record.Optional(answerKey) is { } answered)
            {
                return Pair(format, WithInput(asked.AsString(), record), answered.AsString());
            }
        }

        if (record.Optional("text") is { } text)
        {
            return new CalibrationRecord { Format = "text", Text = text.AsString() };
        }

        string keys = string.Join(", ", record.Element.EnumerateObject().Select(member => $"'{member.Name}'"));
        throw new JsonException($"it has {(keys.Length == 0 ? "no keys" : $"the keys {keys}")}, but needs {Known}.");
    }

    private static int ReadId(JsonField field) =>
        field.Element.ValueKind == JsonValueKind.Number && field.Element.TryGetInt32(out int id)
            ? id
            : throw field.Error("must be a token id");

    // Some data sets hold the list as a string of JSON.
    private static CalibrationRecord Conversation(string format, JsonField messages, JsonField record) => new()
    {
        Format = messages.Element.ValueKind == JsonValueKind.String ? $"{format}-text" : format,
        Turns = [.. Unwrap(messages).Items().Select(ChatTurnReader.Read)],
        Tools = record.Optional("tools") is { } tools ? [.. Unwrap(tools).Items().Select(ReadTool)] : null,
    };

    private static CalibrationRecord FunctionCalls(JsonField query, JsonField answers, JsonField record)
    {
        ToolCall[] calls =
        [
            .. Unwrap(answers).Items().Select((call, index) =>
            {
                string name = call.Required("name").AsString();
                return new ToolCall(
                    NativeCallId.Create(name, index), name, PythonJson.WriteSpaced(call.Required("arguments").Element));
            }),
        ];
        return new CalibrationRecord
        {
            Format = "xlam-function-calling",
            Turns = [new ChatTurn("user", query.AsString()), new ChatTurn("assistant") { ToolCalls = calls }],
            Tools = record.Optional("tools") is { } tools ? [.. Unwrap(tools).Items().Select(ReadTool)] : null,
        };
    }

    private static CalibrationRecord MultipleChoice(JsonField question, JsonField choices, JsonField answer)
    {
        IReadOnlyList<JsonField> items = choices.Items();
        if (!(answer.Element.ValueKind == JsonValueKind.Number
            && answer.Element.TryGetInt32(out int index) && index >= 0 && index < items.Count))
        {
            throw answer.Error($"must be the index of one of the {items.Count} choices");
        }

        StringBuilder text = new(question.AsString());
        for (int i = 0; i < items.Count; i++)
        {
            _ = text.Append('\n').Append((char)('A' + i)).Append(". ").Append(items[i].AsString());
        }

        return Pair("mmlu", text.Append("\nAnswer:").ToString(), ((char)('A' + index)).ToString());
    }

    private static CalibrationRecord Pair(string format, string question, string answer) => new()
    {
        Format = format,
        Turns = [new ChatTurn("user", question), new ChatTurn("assistant", answer)],
    };

    // Instructions may come with what they are about.
    private static string WithInput(string question, JsonField record) =>
        record.Optional("input") is { Element.ValueKind: JsonValueKind.String } input && input.AsString() is { Length: > 0 } text
            ? $"{question}\n\n{text}"
            : question;

    // As the API has it, or the bare function.
    private static ToolDeclaration ReadTool(JsonField tool) => tool.Has("function")
        ? ToolDeclaration.FromJson(tool)
        : new ToolDeclaration(
            tool.Required("name").AsString(),
            tool.Optional("description")?.AsString(),
            tool.Optional("parameters")?.Element);

    private static JsonElement Parse(ReadOnlySpan<byte> utf8Json)
    {
        try
        {
            return StrictJson.Parse(utf8Json);
        }
        catch (JsonException exception)
        {
            // The parser appends the place, counted in lines of its own.
            int end = exception.Message.IndexOf(" LineNumber: ", StringComparison.Ordinal);
            string reason = (end > 0 ? exception.Message[..end] : exception.Message).TrimEnd('.');
            string place = exception.BytePositionInLine is long position
                ? string.Create(CultureInfo.InvariantCulture, $", at byte {position}")
                : "";
            throw new JsonException($"it is no valid JSON: {reason}{place}.", exception);
        }
    }

    private static JsonField Unwrap(JsonField field)
    {
        if (field.Element.ValueKind != JsonValueKind.String)
        {
            return field;
        }

        try
        {
            return field with { Element = Parse(Encoding.UTF8.GetBytes(field.AsString())) };
        }
        catch (JsonException exception)
        {
            throw field.Error($"is a string; {exception.Message.TrimEnd('.')}", exception);
        }
    }
}
