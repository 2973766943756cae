using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>HumanEval and MBPP, with EvalPlus' further tests or as they were first published.</summary>
internal static class EvalPlusBenchmarks
{
    private const string Instruction =
        "Please provide a self-contained Python script that solves the following problem in a markdown code block:";

    private const string Scoring =
        "EvalPlus' chat prompt; the longest run of lines that parses as Python, reduced to what the entry point needs; "
        + "base: the first tests pass; plus: EvalPlus' further tests pass too; files without those give base alone";

    // Of one test file as a whole, where EvalPlus has limits for each input.
    private const double ScriptSeconds = 10;

    private const int MaxTokens = 16_384;

    private static readonly string[] Base = ["base"];

    private static readonly string[] BaseAndPlus = ["base", "plus"];

    public static readonly Benchmark HumanEval =
        new("humaneval", "HumanEval", Scoring, MaxTokens, file => Read(file, ReadHumanEval)) { RunsPrograms = true };

    public static readonly Benchmark Mbpp =
        new("mbpp", "MBPP", Scoring, MaxTokens, file => Read(file, ReadMbpp)) { RunsPrograms = true };

    private static ProgramItem[] Read(DataFile file, Func<DataRecord, ProgramItem> readPlain) =>
        [.. file.Records().Select(record => record.Has("base_input") ? ReadEvalPlus(record) : readPlain(record))];

    private static ProgramItem ReadEvalPlus(DataRecord record)
    {
        string id = record.Text("task_id");
        string prompt = record.Text("prompt");
        string solution = record.Text("canonical_solution");
        string entryPoint = record.Text("entry_point");
        JsonElement baseInput = Calls(record, "base_input"), plusInput = Calls(record, "plus_input");
        double tolerance = Number(record, "atol");
        int number = int.TryParse(id.Split('/')[^1], CultureInfo.InvariantCulture, out int parsed)
            ? parsed
            : throw record.Broken($"must have a \"task_id\" such as HumanEval/0 or Mbpp/2, but it is '{id}'.");
        return new ProgramItem(BaseAndPlus, () => new Dictionary<string, object?>
        {
            ["kind"] = "evalplus",
            ["is_mbpp"] = id.StartsWith("Mbpp/", StringComparison.Ordinal),
            ["number"] = number,
            ["prompt"] = prompt,
            ["canonical_solution"] = solution,
            ["entry_point"] = entryPoint,
            ["base_input"] = baseInput,
            ["plus_input"] = plusInput,
            ["atol"] = tolerance,
        })
        {
            Id = id,
            Messages = Ask(prompt),
        };
    }

    private static ProgramItem ReadHumanEval(DataRecord record)
    {
        string entryPoint = record.Text("entry_point");
        return Script(record.Text("task_id"), record.Text("prompt"), entryPoint, $"{record.Text("test")}\ncheck({entryPoint})");
    }

    private static ProgramItem ReadMbpp(DataRecord record)
    {
        JsonElement tests = record.Field("test_list");
        if (tests.ValueKind != JsonValueKind.Array || tests.GetArrayLength() == 0
            || tests.EnumerateArray().Any(test => test.ValueKind != JsonValueKind.String))
        {
            throw record.Broken("must have a \"test_list\": an array of asserts as strings.");
        }

        string[] asserts = [.. tests.EnumerateArray().Select(test => test.GetString()!)];
        string text = record.TextOrNumber("text", "prompt");
        return Script(
            record.TextOrNumber("task_id"),
            $"\"\"\"\n{text.Trim()}\n{asserts[0]}\n\"\"\"",
            entryPoint: null,
            $"{record.OptionalText("test_setup_code")}\n{string.Join('\n', asserts)}");
    }

    private static ProgramItem Script(string id, string prompt, string? entryPoint, string test) =>
        new(Base, () => new Dictionary<string, object?>
        {
            ["kind"] = "script",
            ["entry_point"] = entryPoint,
            ["test"] = test,
            ["seconds"] = ScriptSeconds,
        })
        {
            Id = id,
            Messages = Ask(prompt),
        };

    private static ChatMessage[] Ask(string prompt) =>
        [new ChatMessage(ChatRole.User, $"{Instruction}\n```python\n{prompt.Trim()}\n```")];

    private static JsonElement Calls(DataRecord record, string name)
    {
        JsonElement calls = record.Field(name);
        return calls.ValueKind == JsonValueKind.Array && calls.EnumerateArray().All(call => call.ValueKind == JsonValueKind.Array)
            ? calls
            : throw record.Broken($"must have a \"{name}\": an array with an array of arguments for each call.");
    }

    private static double Number(DataRecord record, string name) =>
        !record.Has(name) ? 0
        : record.Field(name).ValueKind == JsonValueKind.Number ? record.Field(name).GetDouble()
        : throw record.Broken($"must have a number as its \"{name}\".");
}
