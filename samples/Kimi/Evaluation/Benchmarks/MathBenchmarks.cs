using System.Globalization;
using System.Numerics;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>Benchmarks of mathematics, asked without examples and with the answer in a box, as evalscope asks them.</summary>
internal static class MathBenchmarks
{
    private const string StepByStep = "Please reason step by step, and put your final answer within \\boxed{}.";

    private const string Scoring =
        "no examples; answer from the last \\boxed{}, else after 'the answer is', else the last number; "
        + "equal as text, number (relative 1e-4, also ×100 and ÷100), choice or list; no symbolic algebra";

    public static readonly Benchmark Gsm8k = new("gsm8k", "GSM8K", $"evalscope's prompt, {Scoring}", 16_384, ReadGsm8k);

    public static readonly Benchmark Math500 = new("math500", "MATH-500", $"evalscope's prompt, {Scoring}", 16_384, ReadMath500);

    public static readonly Benchmark Aime25 = new(
        "aime25", "AIME 2025", "evalscope's prompt, no examples; the last \\boxed{} as a whole number", 16_384, ReadAime25);

    private static MathItem[] ReadGsm8k(DataFile file) =>
    [
        .. file.Records().Select(record =>
        {
            const string mark = "####";
            string solution = record.Text("answer");
            int at = solution.LastIndexOf(mark, StringComparison.Ordinal);
            return new MathItem
            {
                Id = Number(record.Index),
                Messages = Ask($"{record.Text("question").Trim()}\n{StepByStep}"),
                Expected = at < 0
                    ? throw record.Broken($"has an \"answer\" without '{mark}', behind which GSM8K gives the number.")
                    : solution[(at + mark.Length)..].Trim(),
            };
        }),
    ];

    private static MathItem[] ReadMath500(DataFile file) =>
    [
        .. file.Records().Select(record => new MathItem
        {
            Id = record.OptionalText("unique_id") ?? Number(record.Index),
            Messages = Ask($"{record.Text("problem").Trim()}\n{StepByStep}"),
            Expected = record.TextOrNumber("answer"),
            Groups = record.Groups("level", "subject"),
        }),
    ];

    private static IntegerItem[] ReadAime25(DataFile file) =>
    [
        .. file.Records().Select(record =>
        {
            // Copies of the 30 problems name them one way or the other.
            string problem = record.TextOrNumber("problem", "question").Trim();
            string answer = record.TextOrNumber("answer").Trim();
            return new IntegerItem
            {
                Id = record.OptionalText("id") ?? Number(record.Index),
                Messages = Ask(
                    "Solve the following math problem step by step. Put your answer inside \\boxed{}.\n\n"
                    + $"{problem}\n\nRemember to put your answer inside \\boxed{{}}."),
                Expected = BigInteger.TryParse(answer, NumberStyles.None, CultureInfo.InvariantCulture, out _)
                    ? answer
                    : throw record.Broken($"must have a whole number as its \"answer\", but it is '{answer}'."),
            };
        }),
    ];

    private static ChatMessage[] Ask(string text) => [new ChatMessage(ChatRole.User, text)];

    private static string Number(int index) => index.ToString(CultureInfo.InvariantCulture);
}
