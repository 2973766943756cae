using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>FRAMES: questions that need several articles at once, judged by a model or by exact match.</summary>
internal static partial class FramesBenchmark
{
    public static readonly Benchmark Frames = new(
        "frames",
        "FRAMES",
        "evalscope's prompt with the file's articles in full; what follows the last 'the answer is'; compared by the judge, or "
        + "without one by exact match without case, punctuation and articles, which gives lower scores",
        16_384,
        file => [.. file.Records().Select(Read)])
    {
        TakesJudge = true,
        MaxInputTokens = 131_072,
    };

    private const string Mark = "the answer is";

    /// <summary>What a reply gives as its answer; <see langword="null"/> when it does not say so in the asked words.</summary>
    public static string? Extract(string reply)
    {
        string plain = reply.Replace("*", "", StringComparison.Ordinal);
        int at = plain.LastIndexOf(Mark, StringComparison.Ordinal);
        string answer = at < 0 ? "" : plain[(at + Mark.Length)..].Trim().TrimEnd('.').Trim();
        return answer.Length == 0 ? null : answer;
    }

    /// <summary>An answer without case, punctuation, articles and surplus space.</summary>
    public static string Normalize(string answer)
    {
        // The punctuation of ASCII, as the usual scripts have it.
        string kept = string.Concat(
            answer.ToLowerInvariant().Where(c => !char.IsAscii(c) || (!char.IsPunctuation(c) && !char.IsSymbol(c))));
        return string.Join(' ', Article().Replace(kept, " ").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private static Item Read(DataRecord record)
    {
        string question = record.Text("Prompt").Trim();
        return new Item
        {
            Id = record.OptionalText("id") ?? record.Index.ToString(CultureInfo.InvariantCulture),
            Question = question,
            Messages =
            [
                new ChatMessage(
                    ChatRole.User,
                    "Please read the following text and answer the question below.\n\n"
                    + $"<text>\n{Articles(record)}\n</text>\n\n{question}\n\n"
                    + "Format your response as follows: \"Therefore, the answer is (insert answer here)\"."),
            ],
            Expected = record.TextOrNumber("Answer").Trim(),
            Groups = record.Groups("reasoning_types"),
        };
    }

    private static string Articles(DataRecord record)
    {
        if (!record.Has("wiki_items"))
        {
            throw record.Broken(
                "has no \"wiki_items\", the articles with their \"title\" and \"text\". The first table has only links; "
                + "take a copy with the texts.");
        }

        StringBuilder text = new();
        int index = 0;
        foreach (JsonElement article in record.Field("wiki_items").EnumerateArray())
        {
            DataRecord fields = new(article, $"{record.Where}, article {index + 1}", index++);
            text.Append(text.Length == 0 ? "" : "\n").Append(fields.Text("title")).Append('\n').Append(fields.Text("text"));
        }

        return text.ToString();
    }

    [GeneratedRegex(@"\b(?:a|an|the)\b")]
    private static partial Regex Article();

    private sealed class Item : BenchmarkItem
    {
        public required string Question { get; init; }

        public override async Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken)
        {
            string? answer = Extract(reply);
            bool isRight = answer is not null
                && (graders.Judge is null
                    ? Normalize(answer) == Normalize(Expected!)
                    : await graders.Judge.AreEqualAsync(Question, Expected!, answer, cancellationToken));
            return Verdict.Of(isRight, answer);
        }
    }
}
