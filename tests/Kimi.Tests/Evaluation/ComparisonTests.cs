using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Evaluation.Reports;
using Kimi.Evaluation.Runs;
using Kimi.Evaluation.Statistics;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Two runs against each other; the numbers were computed outside this library, in fractions.</summary>
public sealed class ComparisonTests
{
    [Fact]
    public void Of_FiveItems_GivesKnownNumbers()
    {
        Comparison comparison = Comparison.Of(Run("a", [1, 1, 0, 1, 0]), Run("b", [1, 0, 0, 0, 1]));

        ComparedScore score = Assert.Single(comparison.Scores);
        Assert.Equal((0.6, 0.4), (score.A, score.B));
        Assert.Equal(-0.2, score.Difference, 1e-15);
        Assert.Equal(-0.8, score.IntervalOfDifference.Low, 1e-15);
        Assert.Equal(0.4, score.IntervalOfDifference.High, 1e-15);
        Assert.Equal((2, 1), (score.OnlyA, score.OnlyB));
        Assert.Equal(1, score.PValue);
        Assert.Equal("no difference shown", score.Words);
        Assert.Equal(0.230724281276, score.IntervalOfA.Low, 1e-12);
        Assert.Equal(0.769275718724, score.IntervalOfB.High, 1e-12);
    }

    [Fact]
    public void Of_SixItemsOnlyTheSecondGetsRight_IsADifference()
    {
        Comparison comparison = Comparison.Of(Run("a", [0, 0, 0, 0, 0, 0, 1]), Run("b", [1, 1, 1, 1, 1, 1, 1]));

        ComparedScore score = Assert.Single(comparison.Scores);
        Assert.Equal(0.03125, score.PValue!.Value, 1e-12);
        Assert.Equal("B is better", score.Words);
    }

    [Fact]
    public void Of_SeveralReplies_HasNoMcNemarButTheInterval()
    {
        Comparison comparison = Comparison.Of(Run("a", [1, 0, 0, 0], samples: 2), Run("b", [1, 1, 1, 1], samples: 2));

        ComparedScore score = Assert.Single(comparison.Scores);
        Assert.Null(score.PValue);
        Assert.Equal((0.25, 1.0, 0.75), (score.A, score.B, score.Difference));
        // One of four or fewer is drawn in 5.1 % of all draws, none in 0.4 %.
        Assert.Equal(new Interval(0.25, 1), score.IntervalOfDifference);
        Assert.Equal("B is better", score.Words);
    }

    [Fact]
    public void Of_RunsOfOtherLength_ComparesWhatBothHave()
    {
        Comparison comparison = Comparison.Of(Run("a", [1, 0, 1]), Run("b", [1, 1]));

        Assert.Equal((2, 1), (comparison.Items, comparison.ItemsLeftOut));
        Assert.Equal((0, 1), (comparison.Scores[0].OnlyA, comparison.Scores[0].OnlyB));
    }

    [Fact]
    public void Of_OtherProtocol_SaysSo()
    {
        (RunProtocol protocol, IReadOnlyList<ItemResult> items) = Run("b", [1]);

        Comparison comparison = Comparison.Of(Run("a", [1]), (protocol with { MaxTokens = 9 }, items));

        Assert.Equal(["max_tokens 100 and not 9"], comparison.Differences);
        Assert.Contains(
            "**A and B were asked differently**: max_tokens 100 and not 9", ComparisonReport.Markdown(comparison, hasChart: true));
    }

    [Fact]
    public void Of_WhatCannotBeCompared_IsRefused()
    {
        (RunProtocol protocol, IReadOnlyList<ItemResult> items) = Run("b", [1]);

        Assert.Contains("different benchmarks", Refusal((protocol with { Benchmark = "gsm8k" }, items)));
        Assert.Contains("no item in common", Refusal((protocol, [items[0] with { Id = "other" }])));
        Assert.Contains("item '0' with different words", Refusal((protocol, [items[0] with { PromptSha256 = "other" }])));

        static string Refusal((RunProtocol, IReadOnlyList<ItemResult>) other) =>
            Assert.Throws<CommandException>(() => Comparison.Of(Run("a", [1]), other)).Message;
    }

    [Fact]
    public void Reports_SayTheNumbers()
    {
        Comparison comparison = Comparison.Of(Run("a", [1, 1, 0, 1, 0]), Run("b", [1, 0, 0, 0, 1]));

        string markdown = ComparisonReport.Markdown(comparison, hasChart: false);
        JsonElement json = JsonSerializer.Deserialize<JsonElement>(ComparisonReport.Json(comparison));
        string chart = ComparisonReport.Chart(comparison);

        Assert.Contains(
            "| accuracy | 60.0 % (23.1–88.2) | 40.0 % (11.8–76.9) | −20.0 (−80.0 to +40.0) | 2 | 1 | 1.0000 | no difference shown |",
            markdown);
        Assert.Equal(1, json.GetProperty("scores")[0].GetProperty("p_value").GetDouble());
        System.Xml.Linq.XDocument.Parse(chart);
        Assert.Contains("accuracy of B", chart);
    }

    private static (RunProtocol Protocol, IReadOnlyList<ItemResult> Items) Run(string model, int[] passed, int samples = 1) => (
        new RunProtocol
        {
            Benchmark = "exact",
            Title = "Exact match",
            Protocol = "…",
            MainScore = "accuracy",
            Data = "data.jsonl",
            DataSha256 = "",
            Items = passed.Length,
            Samples = samples,
            Model = model,
            Location = model,
            MaxTokens = 100,
            Temperature = 0,
            Seed = 42,
        },
        [
            .. passed.SelectMany((one, i) => Enumerable.Range(0, samples).Select(sample => new ItemResult
            {
                Benchmark = "exact",
                Id = $"{i}",
                Sample = sample,
                PromptSha256 = $"prompt {i}",
                Output = "",
                Outcome = one == 1 ? "pass" : "fail",
                Scores = new Dictionary<string, bool> { ["accuracy"] = one == 1 },
            })),
        ]);
}
