using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>LiveCodeBench: problems of programming contests, with the dates that tell which ones a model may have seen.</summary>
internal static class LiveCodeBenchmark
{
    public static readonly Benchmark LiveCodeBench = new(
        "livecodebench",
        "LiveCodeBench",
        "LiveCodeBench's generic prompt; the text between the last two lines with ```; all public and private tests pass",
        16_384,
        file => [.. file.Records().Select(Read)])
    {
        RunsPrograms = true,
    };

    private const string SystemMessage =
        "You are an expert Python programmer. You will be given a question (problem specification) and will generate a correct "
        + "Python program that matches the specification and passes all tests.";

    private const string WithStarter =
        "You will use the following starter code to write the solution to the problem and enclose your code within delimiters.";

    private const string WithoutStarter =
        "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample inputs)."
        + " Enclose your code within delimiters as follows. Ensure that when the python program runs, it reads the inputs, runs"
        + " the algorithm and writes output to STDOUT.";

    private const double SecondsForTest = 6;

    private static readonly string[] Pass = [Verdict.Accuracy];

    /// <summary>The text between the last two lines that hold a fence; <see langword="null"/> when there are fewer.</summary>
    public static string? Extract(string reply)
    {
        string[] lines = reply.Split('\n');
        int[] fences = [.. Enumerable.Range(0, lines.Length).Where(i => lines[i].Contains("```", StringComparison.Ordinal))];
        return fences.Length < 2 ? null : string.Join('\n', lines[(fences[^2] + 1)..fences[^1]]);
    }

    private static ProgramItem Read(DataRecord record)
    {
        string? functionName = FunctionName(record);
        string starter = record.OptionalText("starter_code") ?? "";
        _ = Tests(record, "public_test_cases", record.Text("public_test_cases"));
        string hidden = record.Text("private_test_cases");
        bool isPacked = !hidden.AsSpan().TrimStart().StartsWith("[");
        if (isPacked && !Base64.IsValid(hidden))
        {
            throw record.Broken("has \"private_test_cases\" that are neither a JSON array nor base64.");
        }

        return new ProgramItem(Pass, () => new Dictionary<string, object?>
        {
            ["kind"] = "livecodebench",

            // Gigabytes, if all problems' were unpacked at a time.
            ["tests"] = (string[][])
            [
                .. Tests(record, "public_test_cases", record.Text("public_test_cases")),
                .. Tests(record, "private_test_cases", isPacked ? Unpack(record) : record.Text("private_test_cases")),
            ],
            ["func_name"] = functionName,
            ["seconds"] = SecondsForTest,
        })
        {
            Id = record.Text("question_id"),
            Messages =
            [
                new ChatMessage(ChatRole.System, SystemMessage),
                new ChatMessage(ChatRole.User, Question(record.Text("question_content"), starter)),
            ],
            Groups = record.Groups("difficulty", "platform"),
            Date = ReadDate(record),
            Extract = Extract,
        };
    }

    private static string Question(string content, string starter) =>
        $"### Question:\n{content}\n\n### Format: {(starter.Length > 0 ? WithStarter : WithoutStarter)}\n"
        + $"```python\n{(starter.Length > 0 ? starter : "# YOUR CODE HERE")}\n```\n\n"
        + "### Answer: (use the provided format with backticks)\n\n";

    // The date is that of the contest; files give it with a time of midnight.
    private static DateOnly? ReadDate(DataRecord record) => record.OptionalText("contest_date") is not { } text
        ? null
        : DateTime.TryParse(text, CultureInfo.InvariantCulture, out DateTime time)
            ? DateOnly.FromDateTime(time)
            : throw record.Broken($"has a \"contest_date\" that is no date: '{text}'.");

    private static string? FunctionName(DataRecord record)
    {
        if (record.OptionalText("metadata") is not { Length: > 0 } text)
        {
            return null;
        }

        using JsonDocument metadata = JsonText.Parse(Encoding.UTF8.GetBytes(text), $"{record.Where}: \"metadata\"");
        return metadata.RootElement.ValueKind == JsonValueKind.Object
            && metadata.RootElement.TryGetProperty("func_name", out JsonElement name) ? name.GetString() : null;
    }

    private static string Unpack(DataRecord record)
    {
        try
        {
            return PackedText.Read(record.Text("private_test_cases"));
        }
        catch (InvalidDataException exception)
        {
            throw record.Broken($"has \"private_test_cases\" that cannot be unpacked: {exception.Message}.");
        }
    }

    // Input and output of each test.
    private static string[][] Tests(DataRecord record, string name, string text)
    {
        string where = $"{record.Where}: \"{name}\"";
        using JsonDocument cases = JsonText.Parse(Encoding.UTF8.GetBytes(text), where);
        if (cases.RootElement.ValueKind != JsonValueKind.Array)
        {
            throw new CommandException($"{where} must be the text of a JSON array of tests.");
        }

        return
        [
            .. cases.RootElement.EnumerateArray().Select((test, i) =>
            {
                DataRecord fields = new(test, $"{where}, test {i + 1}", i);
                return (string[])[fields.Text("input"), fields.Text("output")];
            }),
        ];
    }
}
