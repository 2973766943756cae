using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>LongBench v2: questions with four choices about texts of up to two million words.</summary>
internal static partial class LongBenchmark
{
    public static readonly Benchmark LongBench2 = new(
        "longbench2",
        "LongBench v2",
        "the official prompt without reasoning; 'The correct answer is (X)'; no answer counts as wrong; "
        + "prompts that are too long lose their middle",
        128,
        file => [.. file.Records().Select(Read)])
    {
        MaxInputTokens = 120_000,
    };

    private static readonly string[] Letters = ["A", "B", "C", "D"];

    /// <summary>The letter that a reply names; <see langword="null"/> when it names none in the asked words.</summary>
    public static string? Extract(string reply)
    {
        Match match = Answer().Match(reply.Replace("*", "", StringComparison.Ordinal));
        return match.Success ? match.Groups["letter"].Value : null;
    }

    private static Item Read(DataRecord record)
    {
        string[] choices = [.. Letters.Select(letter => $"({letter}) {record.Text($"choice_{letter}").Trim()}")];
        string answer = record.Text("answer");
        return new Item
        {
            Id = record.Text("_id"),
            Messages =
            [
                new ChatMessage(
                    ChatRole.User,
                    "Please read the following text and answer the question below.\n\n"
                    + $"<text>\n{record.Text("context").Trim()}\n</text>\n\n"
                    + $"What is the correct answer to this question: {record.Text("question").Trim()}\n"
                    + $"Choices:\n{string.Join('\n', choices)}\n\n"
                    + "Format your response as follows: \"The correct answer is (insert answer here)\"."),
            ],
            Expected = Letters.Contains(answer)
                ? answer
                : throw record.Broken($"must have A, B, C or D as its \"answer\", but it is '{answer}'."),
            Groups = record.Groups("difficulty", "length", "domain"),
        };
    }

    [GeneratedRegex(@"The correct answer is (?:\((?<letter>[A-D])\)|(?<letter>[A-D])(?![A-Za-z]))")]
    private static partial Regex Answer();

    private sealed class Item : BenchmarkItem
    {
        public override Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken)
        {
            string? answer = Extract(reply);
            return Task.FromResult(Verdict.Of(answer == Expected, answer));
        }
    }
}
