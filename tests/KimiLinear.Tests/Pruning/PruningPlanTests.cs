using System.Text.Json.Nodes;
using System.Xml.Linq;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

public sealed class PruningPlanTests
{
    private static readonly string Grouped = Golden.Model("grouped");

    public static TheoryData<string, string> Faults { get; } = new()
    {
        { """ "keep": [1, 2, 3, 4, 5] """, "layer 1: it keeps 4 experts, but layer 2 keeps 5." },
        { """ "keep": [1, 2, 3, 20] """, "layer 2: 'keep' names expert 20, but the model has the experts 0 to 19. Correct or remove it." },
        { """ "keep": [1, 2, 3, -1] """, "layer 2: 'keep' names expert -1, but" },
        { """ "keep": [1, 2, 3, 2] """, "layer 2: 'keep' names expert 2 more than once. Remove the others." },
        { """ "keep": [1, 2, 3] """, "layer 2: it keeps 3 experts, but every token visits 4. Keep at least as many." },
        { """ "keep": [1, 2, 3, 4], "protected": [5] """, "layer 2: expert 5 is protected, but not kept." },
        { """ "keep": [1, 2, 3, 4], "protected": [99] """, "layer 2: 'protected' names expert 99" },
        { """ "keep": [1, 2, 3, 4], "scores": [1, 2] """, "layer 2: it has 2 scores for 20 experts." },
        { """ "keep": [1, 2, 3, 4.5] """, "layer 2: 'keep' must be a list of whole numbers, but is or holds 4.5." },
        { """ "keep": "all" """, "layer 2: 'keep' must be a list, but is or holds \"all\"." },
        { """ "kept": [1, 2, 3, 4] """, "layer 2: 'keep' is missing." },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Prune_PlanWithAFault_NamesFileLayerAndRemedy(string layer, string complaint)
    {
        using TemporaryFolder folder = new();
        string path = Write(folder, $$"""{"layer": 2, {{layer}}}""");

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => CheckpointPruner.Prune(Golden.TinyModel, folder.File("pruned"), PruningPlan.Load(path)));

        Assert.StartsWith($"'{path}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, exception.Message, StringComparison.Ordinal);
        Assert.Equal(path, exception.FilePath);
        Assert.False(Directory.Exists(folder.File("pruned")));
        Assert.False(Directory.Exists(folder.File("pruned.partial")));
    }

    [Theory]
    [InlineData("""{"layer": 1, "keep": [0, 1, 2, 3]}""", "layer 1: it is there more than once.")]
    [InlineData("""{"layer": 0, "keep": [0, 1, 2, 3]}""", "layer 0: '", "has no sparse layer of this number; they are 1 to 5.")]
    [InlineData("""{"layer": 17, "keep": [0, 1, 2, 3]}""", "layer 17: '", "has no sparse layer of this number")]
    [InlineData("""{"layer": 2.5, "keep": [0, 1, 2, 3]}""", "'layer' must be a whole number from 0 to", "but is or holds 2.5")]
    [InlineData("7", "'layers' must hold objects only, but is or holds 7")]
    public void Prune_PlanWithAWrongLayer_SaysWhich(string layer, params string[] complaints)
    {
        using TemporaryFolder folder = new();
        string path = Write(folder, layer);

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => CheckpointPruner.Prune(Golden.TinyModel, folder.File("pruned"), PruningPlan.Load(path)));

        Assert.StartsWith($"'{path}'", exception.Message, StringComparison.Ordinal);
        Assert.All(complaints, complaint => Assert.Contains(complaint, exception.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Prune_PlanThatLacksLayers_NamesThem()
    {
        using TemporaryFolder folder = new();
        string path = Write(folder, """{"layer": 3, "keep": [0, 1, 2, 3]}""");

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => CheckpointPruner.Prune(Golden.TinyModel, folder.File("pruned"), PruningPlan.Load(path)));

        Assert.Contains("lacks the layers 2, 4 to 5 of", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "not", "cannot be read as a pruning plan")]
    [InlineData("{}", "'format' is missing", "Correct it, or make it anew with 'kimi plan'.")]
    [InlineData("""{"format": "x"}""", "its format is 'x' instead of 'kimi-linear-pruning-plan'", "")]
    [InlineData("""{"format": "kimi-linear-pruning-plan", "version": 2}""", "its version is 2", "")]
    [InlineData("""{"format": "kimi-linear-pruning-plan", "version": 1, "version": 1}""", "version", "")]
    [InlineData("[]", "", "cannot be read as a pruning plan")]
    public void Load_NoPlan_SaysSo(string text, string complaint, string remedy)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("plan.json"), text);

        PruningFileException exception = Assert.Throws<PruningFileException>(() => PruningPlan.Load(folder.File("plan.json")));

        Assert.Contains(complaint, exception.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { 0, 1, 4, 5, 8, 9, 12, 13 }, null)]
    [InlineData(new[] { 1, 0, 4, 7, 8, 9, 12, 13 }, null)]
    [InlineData(new[] { 0, 1, 2, 5, 8, 9, 12, 13 }, "expert 2 of the router's group 0 would come to stand in group 1.")]
    [InlineData(new[] { 0, 1, 4, 5, 8, 9, 12 }, "it keeps 7 experts, but the router divides them into 4 groups")]
    [InlineData(new[] { 0, 4, 8, 12 }, "it keeps 4 experts, but the router divides them into 4 groups of equal size, at least 2.")]
    public void Prune_RouterWithGroups_KeepsTheSameNumberOfEach(int[] kept, string? complaint)
    {
        using TemporaryFolder folder = new();
        PruningPlan plan = TestPlans.Of(Grouped, _ => kept);

        if (complaint is null)
        {
            CheckpointPruner.Prune(Grouped, folder.File("pruned"), plan);
            TestPlans.AssertPruned(Grouped, folder.File("pruned"), plan);
        }
        else
        {
            PruningFileException exception = Assert.Throws<PruningFileException>(
                () => CheckpointPruner.Prune(Grouped, folder.File("pruned"), plan));
            Assert.Contains(complaint, exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Load_WhatSaveWrote_IsTheSamePlanAndTheSameFile()
    {
        using TemporaryFolder folder = new();
        PruningPlan plan = Rich();
        plan.Save(folder.File("a.json"));

        PruningPlan loaded = PruningPlan.Load(folder.File("a.json"));
        loaded.Save(folder.File("b.json"));

        Assert.Equal(File.ReadAllText(folder.File("a.json")), File.ReadAllText(folder.File("b.json")));
        Assert.Equal(plan.Model, loaded.Model);
        Assert.Equal(
            (plan.Criterion, plan.GateMode, plan.Ratio, plan.Seed),
            (loaded.Criterion, loaded.GateMode, loaded.Ratio, loaded.Seed));
        Assert.Equal(plan.Layers.Count, loaded.Layers.Count);
        Assert.All(plan.Layers.Zip(loaded.Layers), pair =>
        {
            Assert.Equal(pair.First.KeptExperts, pair.Second.KeptExperts);
            Assert.Equal(pair.First.ProtectedExperts, pair.Second.ProtectedExperts);
            Assert.Equal(pair.First.Scores, pair.Second.Scores);
        });
        Assert.Contains("      \"keep\": [0, 1, 3],\n", File.ReadAllText(folder.File("a.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void CompareWith_AnotherPlan_TellsWhatDiffers()
    {
        PruningPlan first = TestPlans.Of(Golden.TinyModel, layer => layer == 2 ? [0, 1, 2, 3, 4] : [5, 6, 7, 8, 9]);
        PruningPlan second = TestPlans.Of(
            Golden.TinyModel, layer => layer == 2 ? [0, 1, 3, 8, 9] : layer == 3 ? [6, 5, 7, 8, 9] : [5, 6, 7, 8, 9]);

        PlanDifference difference = first.CompareWith(second);

        Assert.True(first.CompareWith(first).IsEmpty);
        Assert.False(difference.IsEmpty);
        Assert.Equal([1, 2, 3, 4, 5], difference.Layers.Select(layer => layer.LayerIndex));
        Assert.Equal([true, false, false, true, true], difference.Layers.Select(layer => layer.IsEmpty));
        Assert.Equal([2, 4], difference.Layers[1].OnlyInFirst);
        Assert.Equal([8, 9], difference.Layers[1].OnlyInSecond);
        Assert.Equal(3.0 / 7, difference.Layers[1].Overlap);
        Assert.True(difference.Layers[1].HasSameOrder);
        Assert.False(difference.Layers[2].HasSameOrder);
        Assert.Equal(23.0 / 27, difference.Overlap);
        Assert.Throws<ArgumentException>(() => first.CompareWith(TestPlans.For(Grouped)));
    }

    [Fact]
    public void Draw_Plan_MarksWhatIsDropped()
    {
        using TemporaryFolder folder = new();
        PruningPlan plan = Rich();

        plan.Draw(folder.File("map.svg"));

        XDocument picture = XDocument.Load(folder.File("map.svg"));
        XNamespace svg = "http://www.w3.org/2000/svg";
        string[] tips = [.. picture.Descendants(svg + "g").Select(cell => cell.Element(svg + "title")!.Value)];
        string[] fills = [.. picture.Descendants(svg + "g").Select(cell => cell.Element(svg + "rect")!.Attribute("fill")!.Value)];
        Assert.Equal(8, tips.Length);
        Assert.Equal("layer 1, expert 0: protected, score 0.125", tips[0]);
        Assert.Equal("layer 1, expert 2: dropped, score 0.1", tips[2]);
        Assert.Equal("layer 3, expert 3: kept, score 7", tips[7]);
        Assert.Equal(2, picture.Descendants(svg + "path").Count());
        Assert.All(
            picture.Descendants(svg + "g"),
            cell => Assert.Equal(
                cell.Element(svg + "title")!.Value.Contains("dropped", StringComparison.Ordinal), cell.Element(svg + "path") is not null));
        Assert.Equal("#f7fbff", fills[2]);
        Assert.Equal("#08306b", fills[3]);
        Assert.Contains("a&b <c>", picture.Root!.Element(svg + "title")!.Value, StringComparison.Ordinal);
    }

    // Every entry but the one in question is in order.
    private static string Write(TemporaryFolder folder, string layer)
    {
        PruningPlan plan = TestPlans.Of(Golden.TinyModel, _ => [0, 1, 2, 3]);
        plan.Save(folder.File("plan.json"));
        JsonNode json = JsonNode.Parse(File.ReadAllText(folder.File("plan.json")))!;
        JsonArray layers = json["layers"]!.AsArray();
        layers.RemoveAt(1);
        if (layer.Contains("\"layer\": 3", StringComparison.Ordinal))
        {
            layers.Clear();
            layers.Add(JsonNode.Parse("""{"layer": 1, "keep": [0, 1, 2, 3]}"""));
        }

        layers.Add(JsonNode.Parse(layer));
        File.WriteAllText(folder.File("plan.json"), json.ToJsonString());
        return folder.File("plan.json");
    }

    private static PruningPlan Rich() => new()
    {
        Model = new ObservedModel("a&b <c>", "", 4, 2, 1, 1),
        Criterion = "reap",
        GateMode = GateMode.HfAlias,
        Ratio = 0.30m,
        Seed = -4,
        Calibration =
        [
            new CalibrationSummary
            {
                Sources =
                [
                    new CalibrationSource
                    {
                        FileName = "a.jsonl", Sha256 = "00", Format = "messages", Weight = 0.5, RecordCount = 9,
                        UsedRecordCount = 8, TruncatedRecordCount = 1, TokenCount = 77,
                    },
                ],
                MaxSequenceTokens = 100,
                Truncated = true,
                Packed = false,
                MaxTokens = null,
                Seed = 3,
                SequenceCount = 8,
                TokenCount = 77,
            },
        ],
        Layers =
        [
            new LayerPlan { LayerIndex = 1, KeptExperts = [0, 1, 3], ProtectedExperts = [0], Scores = [0.125, 1.0 / 3, 0.1, 1e300] },
            new LayerPlan { LayerIndex = 3, KeptExperts = [3, 0, 1], Scores = [1, 2, 0, 7] },
        ],
    };
}
