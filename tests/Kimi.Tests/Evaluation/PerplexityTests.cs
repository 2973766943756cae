using System.Text.Json;
using Kimi.Evaluation.Perplexity;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Perplexity and divergence, against plain sums over logits of the published code and of the tool itself.</summary>
public sealed class PerplexityTests : IDisposable
{
    private static readonly string Golden = TestFiles.GoldenModel("plain");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TokenScores_ByHand()
    {
        float[] sixths = [0, MathF.Log(2), MathF.Log(3)];
        float[] equal = [5, 5, 5];

        Assert.Equal(Math.Log(6), TokenScores.Loss(sixths, 0), 1e-6);
        Assert.Equal(Math.Log(2), TokenScores.Loss(sixths, 2), 1e-6);
        Assert.Equal((Math.Log(0.5) / 6) + (Math.Log(1.5) / 2), TokenScores.Divergence(sixths, equal), 1e-6);
        Assert.Equal((Math.Log(2) + Math.Log(2 / 3.0)) / 3, TokenScores.Divergence(equal, sixths), 1e-6);
        Assert.Equal(0, TokenScores.Divergence(sixths, sixths));
        Assert.Equal(Math.Log(2), TokenScores.Divergence([0, float.NegativeInfinity], [7, 7]), 1e-6);
        Assert.Equal((2, 0), (TokenScores.Best(sixths), TokenScores.Best(equal)));
    }

    [Fact]
    public async Task Perplexity_GoldenModel_IsThatOfThePublishedLogits()
    {
        string expected = Path.Combine(Golden, "expected.safetensors");
        int[] ids = Safetensors.Read<int>(expected, "input_ids", out _, out _);
        float[] logits = Safetensors.Read<float>(expected, "logits", out _, out long[] shape);
        double loss = 0;
        for (int i = 0; i + 1 < ids.Length; i++)
        {
            loss -= LogProbabilities(logits, (int)shape[^1], i)[ids[i + 1]];
        }

        JsonElement report = await ReportAsync(Golden, new { ids });

        Assert.Equal(ids.Length - 1, report.GetProperty("tokens").GetInt32());
        Assert.Equal(1, Value(report, "perplexity") / Math.Exp(loss / (ids.Length - 1)), 1e-5);
        Assert.Equal(JsonValueKind.Null, report.GetProperty("divergence").ValueKind);
    }

    [Fact]
    public async Task Perplexity_AgainstTheUnroundedModel_IsThatOfBothLogits()
    {
        int[] first = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89], second = [7, 6, 5, 4];
        double loss = 0, referenceLoss = 0, divergence = 0;
        int agreements = 0;
        foreach (int[] ids in (int[][])[first, second])
        {
            (float[] rounded, int vocabulary) = await LogitsAsync(ids[..^1], "--format", "q4");
            (float[] exact, _) = await LogitsAsync(ids[..^1]);
            for (int i = 0; i + 1 < ids.Length; i++)
            {
                double[] q = LogProbabilities(rounded, vocabulary, i), p = LogProbabilities(exact, vocabulary, i);
                loss -= q[ids[i + 1]];
                referenceLoss -= p[ids[i + 1]];
                divergence += p.Zip(q, (a, b) => Math.Exp(a) * (a - b)).Sum();
                agreements += Array.IndexOf(p, p.Max()) == Array.IndexOf(q, q.Max()) ? 1 : 0;
            }
        }

        JsonElement report = await ReportAsync(
            TestFiles.TinyModel, ["--format", "q4", "--reference", TestFiles.TinyModel], new { ids = first }, new { ids = second });

        Assert.Equal(12, report.GetProperty("tokens").GetInt32());
        Assert.Equal(1, Value(report, "perplexity") / Math.Exp(loss / 12), 1e-12);
        Assert.Equal(1, Value(report, "reference_perplexity") / Math.Exp(referenceLoss / 12), 1e-12);
        Assert.Equal(1, Value(report, "perplexity_ratio") / Math.Exp((loss - referenceLoss) / 12), 1e-12);
        Assert.Equal(1, Value(report, "divergence") / (divergence / 12), 1e-9);
        Assert.Equal(agreements / 12.0, Value(report, "agreement"), 1e-12);
        Assert.InRange(Value(report, "divergence"), 1e-6, 10);
    }

    [Fact]
    public async Task Perplexity_AgainstItself_IsNoDivergence()
    {
        JsonElement report = await ReportAsync(
            TestFiles.TinyModel,
            ["--reference", TestFiles.TinyModel],
            new { text = "Once upon a time there was a fox." },
            new { messages = new[] { new { role = "user", content = "Hello" }, new { role = "assistant", content = "Hi!" } } });

        Assert.Equal((0.0, 1.0, 1.0), (Value(report, "divergence"), Value(report, "agreement"), Value(report, "perplexity_ratio")));
    }

    [Fact]
    public async Task Perplexity_LongDocument_IsCutAndRunsAreContinued()
    {
        object[] documents = [new { ids = Enumerable.Range(1, 300).ToArray() }, new { ids = new[] { 1, 2, 3 } }];
        JsonElement first = await ReportAsync(TestFiles.TinyModel, ["--max-length", "100"], documents);
        string items = Path.Combine(_folder.File("run"), "items.jsonl");
        string[] lines = File.ReadAllLines(items);
        File.WriteAllText(items, lines[0] + "\n" + lines[1][..10]);

        JsonElement second = await ReportAsync(TestFiles.TinyModel, ["--max-length", "100"], documents);

        Assert.Equal(99 + 2, first.GetProperty("tokens").GetInt32());
        Assert.Equal(lines, File.ReadAllLines(items));
        Assert.Equal(first.GetRawText(), second.GetRawText());
    }

    private async Task<(float[] Logits, int Vocabulary)> LogitsAsync(int[] ids, params string[] more)
    {
        string path = _folder.File("logits.safetensors");
        await KimiProcess.LinesAsync(["logits", "--model", TestFiles.TinyModel, "--ids", string.Join(',', ids), "--out", path, .. more]);
        float[] logits = Safetensors.Read<float>(path, "logits", out _, out long[] shape);
        return (logits, (int)shape[^1]);
    }

    private Task<JsonElement> ReportAsync(string model, params object[] documents) => ReportAsync(model, [], documents);

    private async Task<JsonElement> ReportAsync(string model, string[] more, params object[] documents)
    {
        File.WriteAllLines(_folder.File("data.jsonl"), documents.Select(document => JsonSerializer.Serialize(document)));
        await KimiProcess.LinesAsync(
            ["eval", "perplexity", "--model", model, "--data", _folder.File("data.jsonl"), "--out", _folder.File("run"), .. more]);
        return JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(_folder.File("run"), "report.json")));
    }

    private static double Value(JsonElement report, string name) => report.GetProperty(name).GetProperty("value").GetDouble();

    private static double[] LogProbabilities(float[] logits, int vocabulary, int row)
    {
        double[] scores = [.. logits[(row * vocabulary)..((row + 1) * vocabulary)].Select(score => (double)score)];
        double largest = scores.Max();
        double logSum = largest + Math.Log(scores.Sum(score => Math.Exp(score - largest)));
        return [.. scores.Select(score => score - logSum)];
    }
}
