using System.Text;
using System.Text.Json.Nodes;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tensors;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

public sealed class CheckpointPrunerTests
{
    private static readonly int[] Prompt = [1, 20, 3, 14, 5, 9, 2, 6];

    public static TheoryData<string> GgufFiles { get; } = new("bf16", "q4_0", "q4_k_m", "q6_k", "q8_0");

    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void Prune_AnyFolder_CopiesEveryKeptTensorByteByByte(string folder)
    {
        using TemporaryFolder target = new();
        string source = TestModels.FullPath(folder);
        PruningPlan plan = TestPlans.For(source);

        CheckpointPruner.Prune(source, target.File("pruned"), plan);

        TestPlans.AssertPruned(source, target.File("pruned"), plan);
        Assert.True(PruningPlan.Recover(source, target.File("pruned")).CompareWith(plan).IsEmpty);
        Assert.Equal(plan.KeptExpertCount, ModelSummary.Inspect(target.File("pruned")).Config.ExpertCount);
    }

    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void Prune_AnyFolder_ComputesWhatTheSourceDoesWithoutThoseExperts(string folder)
    {
        using TemporaryFolder target = new();
        string source = TestModels.FullPath(folder);
        PruningPlan plan = TestPlans.For(source);
        CheckpointPruner.Prune(source, target.File("pruned"), plan);
        MaskedModel.Write(source, target.File("masked"), plan);

        float[] logits = Logits(target.File("pruned"));

        TensorAssert.Identical(logits, Logits(target.File("masked")), folder);
    }

    /// <summary>llm-compressor's vector: with two groups of four, one of each goes, and every bias stays with its expert.</summary>
    [Fact]
    public void Prune_NumberedBiases_StayWithTheirExperts()
    {
        using TemporaryFolder folder = new();
        string source = folder.File("numbered");
        MaskedModel.Write(Golden.Model("plain"), source, (_, bias) => Enumerable.Range(0, 8).ToList().ForEach(i => bias[i] = i));

        CheckpointPruner.Prune(source, folder.File("pruned"), TestPlans.Of(source, _ => [1, 2, 3, 5, 6, 7]));

        using Checkpoint pruned = Checkpoint.Open(folder.File("pruned"));
        foreach (int layer in (int[])[1, 2, 3])
        {
            float[] bias = new float[6];
            StoredValues.CopyTo(
                pruned.Get(WeightNames.InLayer(layer, WeightNames.SparseMoe.ScoreCorrectionBias)), bias);
            Assert.Equal([1, 2, 3, 5, 6, 7], bias);
        }
    }

    [Theory]
    [InlineData(WeightFormat.Q8)]
    [InlineData(WeightFormat.Q4Q8)]
    public void Prune_PackedFolder_KeepsItPacked(WeightFormat format)
    {
        using TemporaryFolder folder = new();
        string source = folder.File("packed");
        ModelPacker.Pack(Golden.TinyModel, source, format, new ModelPackOptions { MaxShardBytes = 500_000 });
        PruningPlan plan = TestPlans.For(Golden.TinyModel);

        CheckpointPruner.Prune(source, folder.File("pruned"), plan);

        TestPlans.AssertPruned(source, folder.File("pruned"), plan);
        Assert.True(PruningPlan.Recover(source, folder.File("pruned")).CompareWith(plan).IsEmpty);
        CheckpointPruner.Prune(Golden.TinyModel, folder.File("plain"), plan);
        float[] expected = Logits(folder.File("plain"), new ModelLoadOptions { Format = format });
        TensorAssert.Identical(Logits(folder.File("pruned")), expected, "pack, then prune or prune, then pack");
    }

    [Theory]
    [InlineData("block")]
    [InlineData("channel")]
    [InlineData("tensor")]
    public void Prune_Float8Folder_TakesTheScalesAlong(string kind)
    {
        using TemporaryFolder folder = new();
        using Float8ModelFolder model = new("plain", kind);
        string source = model.Path;
        PruningPlan plan = TestPlans.For(source);

        CheckpointPruner.Prune(source, folder.File("pruned"), plan);

        TestPlans.AssertPruned(source, folder.File("pruned"), plan);
        using Checkpoint pruned = Checkpoint.Open(folder.File("pruned"));
        Assert.Contains(pruned.Tensors, tensor => tensor.Scales is not null);
    }

    [Theory]
    [MemberData(nameof(GgufFiles))]
    public void Prune_GgufFile_GivesAGgufFile(string name)
    {
        using TemporaryFolder folder = new();
        string source = Path.Combine(Golden.Root, "gguf", $"{name}.gguf");
        PruningPlan plan = TestPlans.For(source);

        CheckpointPruner.Prune(source, folder.File("pruned"), plan);

        Assert.Equal(
            ["README.md", "pruned.gguf", "pruning-plan.json"],
            Directory.GetFiles(folder.File("pruned")).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
        TestPlans.AssertPruned(source, folder.File("pruned"), plan);
        Assert.True(PruningPlan.Recover(source, folder.File("pruned")).CompareWith(plan).IsEmpty);
        Assert.All(Logits(folder.File("pruned")), logit => Assert.True(float.IsFinite(logit)));
    }

    [Fact]
    public void Prune_GgufOfTheSmallModel_ComputesWhatThePrunedFolderDoes()
    {
        using TemporaryFolder folder = new();
        string gguf = TinyGguf.Write(folder.File("tiny.gguf"));
        PruningPlan plan = TestPlans.For(Golden.TinyModel);

        CheckpointPruner.Prune(gguf, folder.File("gguf"), plan);
        CheckpointPruner.Prune(Golden.TinyModel, folder.File("plain"), plan);

        TensorAssert.Close(Logits(folder.File("gguf")), Logits(folder.File("plain")), 1e-5, "GGUF beside safetensors");
    }

    [Fact]
    public void Prune_KeepingAll_GivesTheSameWeightFiles()
    {
        using TemporaryFolder folder = new();
        string sharded = Golden.Model("sharded-f16");
        string gguf = Path.Combine(Golden.Root, "gguf", "q4_k_m.gguf");
        int[] all = [.. Enumerable.Range(0, KimiLinearModel.LoadConfig(sharded).ExpertCount)];

        CheckpointPruner.Prune(sharded, folder.File("sharded"), TestPlans.Of(sharded, _ => all));
        CheckpointPruner.Prune(gguf, folder.File("gguf"), TestPlans.Of(gguf, _ => [0, 1, 2, 3]));

        Assert.Equal(File.ReadAllBytes(gguf), File.ReadAllBytes(folder.File("gguf/gguf.gguf")));
        foreach (string file in Directory.GetFiles(sharded).Where(file => !file.Contains("expected", StringComparison.Ordinal)))
        {
            string copy = Path.Combine(folder.File("sharded"), Path.GetFileName(file));
            if (file.EndsWith("index.json", StringComparison.Ordinal))
            {
                JsonNode before = JsonNode.Parse(File.ReadAllText(file))!["weight_map"]!;
                Assert.True(JsonNode.DeepEquals(before, JsonNode.Parse(File.ReadAllText(copy))!["weight_map"]));
            }
            else
            {
                Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(copy));
            }
        }
    }

    [Fact]
    public void Prune_Folder_ChangesOneNumberOfTheConfiguration()
    {
        using TemporaryFolder folder = new();
        PruningPlan plan = TestPlans.For(Golden.TinyModel);

        CheckpointPruner.Prune(Golden.TinyModel, folder.File("pruned"), plan);

        string before = File.ReadAllText(Path.Combine(Golden.TinyModel, "config.json"));
        Assert.Equal(
            before.Replace("\"num_experts\": 20,", "\"num_experts\": 15,", StringComparison.Ordinal),
            File.ReadAllText(folder.File("pruned/config.json")));
    }

    [Fact]
    public void Prune_Folder_CopiesWhatBelongsToItAndTellsHowItWasMade()
    {
        using TemporaryFolder folder = new();
        string source = CopyOfTiny(folder);
        File.WriteAllText(Path.Combine(source, "LICENSE"), "terms");
        File.WriteAllText(Path.Combine(source, "modeling_kimi.py"), "code");
        File.WriteAllText(Path.Combine(source, "notes.txt"), "private");
        PruningPlan plan = TestPlans.For(source);

        CheckpointPruner.Prune(source, folder.File("pruned"), plan);

        Assert.Equal(
            [
                "LICENSE", "README.md", "config.json", "generation_config.json", "model.safetensors", "modeling_kimi.py",
                "pruning-plan.json", "tiktoken.model", "tokenizer_config.json",
            ],
            Directory.GetFiles(folder.File("pruned")).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
        Assert.True(PruningPlan.Load(folder.File("pruned/pruning-plan.json")).CompareWith(plan).IsEmpty);
        string card = File.ReadAllText(folder.File("pruned/README.md"));
        Assert.Contains("15 of its 20 routed experts", card, StringComparison.Ordinal);
        Assert.Contains("criterion: drawn", card, StringComparison.Ordinal);
        byte[] weights = File.ReadAllBytes(folder.File("pruned/model.safetensors"));
        string hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(weights));
        Assert.Contains($"| model.safetensors | {hash} |", card, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("num_experts")]
    [InlineData("n_routed_experts")]
    public void Apply_AnySpelling_LeavesEveryOtherByteAlone(string key)
    {
        string before = $$"""{ "a": { "{{key}}": 7 }, "{{key}}" :  256 ,"z":[256, "{{key}}"]}""";

        byte[] after = ExpertCountEdit.Apply([.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(before)], 180);

        string expected = before.Replace(":  256 ", ":  180 ", StringComparison.Ordinal);
        Assert.Equal([.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(expected)], after);
    }

    [Fact]
    public void Prune_MissingExperts_AreNamedAndNothingIsLeft()
    {
        using TemporaryFolder folder = new();
        string source = CopyOfTiny(folder);
        SafetensorsEdit.Remove(
            Path.Combine(source, "model.safetensors"), name => name.Contains(".3.block_sparse_moe.experts.7.", StringComparison.Ordinal));

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(
            () => CheckpointPruner.Prune(source, folder.File("pruned"), TestPlans.For(Golden.TinyModel)));

        Assert.Contains("3 tensors are missing", exception.Message, StringComparison.Ordinal);
        Assert.Contains("model.layers.3.block_sparse_moe.experts.7.w1.weight", exception.Message, StringComparison.Ordinal);
        Assert.Equal([source], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Prune_PlanOfAnotherModel_IsRefused()
    {
        using TemporaryFolder folder = new();
        PruningPlan plan = TestPlans.For(Golden.TinyModel);
        PruningPlan foreign = Copy(plan, plan.Model with { Fingerprint = new string('0', 64) });
        PruningPlan unknown = Copy(plan, plan.Model with { Fingerprint = "" });

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => CheckpointPruner.Prune(Golden.TinyModel, folder.File("pruned"), foreign));
        CheckpointPruner.Prune(Golden.TinyModel, folder.File("pruned"), unknown);

        Assert.Contains("another model", exception.Message, StringComparison.Ordinal);
        TestPlans.AssertPruned(Golden.TinyModel, folder.File("pruned"), plan);
    }

    [Fact]
    public void Prune_TooLittleSpace_IsRefusedBeforeAnythingIsWritten()
    {
        using TemporaryFolder folder = new();

        IOException exception = Assert.Throws<IOException>(() => CheckpointPruner.Prune(
            Golden.TinyModel, folder.File("pruned"), TestPlans.For(Golden.TinyModel), _ => 1_000_000, null, default));

        Assert.Contains("The pruned model needs 0.1 GB more", exception.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    // A device that is always full takes the place of the second file.
    [Fact]
    public void Prune_DiskThatFillsUp_SaysSoAndGoesOnWhenThereIsRoom()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has a device that is always full.");
        using TemporaryFolder folder = new();
        string source = Golden.Model("sharded-f16");
        PruningPlan plan = TestPlans.For(source);
        CheckpointPruner.Prune(source, folder.File("a/pruned"), plan);
        string second = folder.File("b/pruned.partial/model-00002-of-00011.safetensors");
        Callback<PruneProgress> fill = new(progress =>
        {
            if (progress.DoneBytes > 0 && !Path.Exists($"{second}.tmp"))
            {
                _ = File.CreateSymbolicLink($"{second}.tmp", "/dev/full");
            }
        });

        IOException exception = Assert.Throws<IOException>(() => CheckpointPruner.Prune(source, folder.File("b/pruned"), plan, fill));

        Assert.StartsWith($"'{second}' cannot be written: No space left on device", exception.Message, StringComparison.Ordinal);
        Assert.Contains("make room, and the same call goes on", exception.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("b/pruned")));
        Assert.Single(Directory.GetFiles(folder.File("b/pruned.partial"), "model-*"));
        CheckpointPruner.Prune(source, folder.File("b/pruned"), plan);
        AssertSameFiles(folder.File("a/pruned"), folder.File("b/pruned"));
    }

    [Fact]
    public void Prune_TargetThatExists_IsRefused()
    {
        using TemporaryFolder folder = new();

        IOException exception = Assert.Throws<IOException>(
            () => CheckpointPruner.Prune(Golden.TinyModel, folder.Path, TestPlans.For(Golden.TinyModel)));

        Assert.Contains("exists already", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.4)]
    [InlineData(0.9)]
    public void Prune_Cancelled_GoesOnWhereItStopped(double fraction)
    {
        using TemporaryFolder folder = new();
        string source = folder.File("source");
        ModelPacker.Pack(Golden.TinyModel, source, WeightFormat.BFloat16, new ModelPackOptions { MaxShardBytes = 300_000 });
        PruningPlan plan = TestPlans.For(source);
        CheckpointPruner.Prune(source, folder.File("a/pruned"), plan);
        using CancellationTokenSource cancel = new();
        Assert.ThrowsAny<OperationCanceledException>(() => CheckpointPruner.Prune(
            source, folder.File("b/pruned"), plan, new Callback<PruneProgress>(value => Cancel(value.Fraction)), cancel.Token));
        Assert.False(Directory.Exists(folder.File("b/pruned")));
        List<double> fractions = [];

        CheckpointPruner.Prune(
            source, folder.File("b/pruned"), plan, new Callback<PruneProgress>(value => fractions.Add(value.Fraction)));

        AssertSameFiles(folder.File("a/pruned"), folder.File("b/pruned"));
        Assert.True(fractions[0] >= fraction - 0.2, $"It should have gone on at {fraction}, but began at {fractions[0]}.");
        Assert.Equal(1, fractions[^1]);

        void Cancel(double at)
        {
            if (at >= fraction)
            {
                cancel.Cancel();
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Prune_SourceChangedInBetween_MixesNothing(bool isLinked)
    {
        Assert.SkipWhen(isLinked && OperatingSystem.IsWindows(), "Links take a right there.");
        using TemporaryFolder folder = new();
        string files = folder.File("source");
        ModelPacker.Pack(Golden.TinyModel, files, WeightFormat.BFloat16, new ModelPackOptions { MaxShardBytes = 300_000 });
        string first = Directory.GetFiles(files, "model-00001-of-*").Single();
        File.SetLastWriteTimeUtc(first, DateTime.UnixEpoch);
        string source = isLinked ? folder.LinksTo(files) : files;
        PruningPlan plan = TestPlans.For(source);
        using CancellationTokenSource cancel = new();
        Assert.ThrowsAny<OperationCanceledException>(() => CheckpointPruner.Prune(
            source, folder.File("b/pruned"), plan, new Callback<PruneProgress>(value => Cancel(value.Fraction)), cancel.Token));
        byte[] bytes = File.ReadAllBytes(first);
        bytes[^2] ^= 1;
        File.WriteAllBytes(first, bytes);
        List<string> steps = [];

        CheckpointPruner.Prune(
            source, folder.File("b/pruned"), plan, new Callback<PruneProgress>(value => steps.Add(value.Step)));

        CheckpointPruner.Prune(source, folder.File("a/pruned"), plan);
        AssertSameFiles(folder.File("a/pruned"), folder.File("b/pruned"));
        Assert.Contains("or its files were written since", steps[0], StringComparison.Ordinal);

        void Cancel(double at)
        {
            if (at >= 0.6)
            {
                cancel.Cancel();
            }
        }
    }

    // A kill between the two last steps: the folder has its name, the journal is still inside.
    [Fact]
    public void Prune_KilledInTheLastStep_EndsWhatWasLeft()
    {
        using TemporaryFolder folder = new();
        string source = folder.File("source");
        ModelPacker.Pack(Golden.TinyModel, source, WeightFormat.BFloat16, new ModelPackOptions { MaxShardBytes = 300_000 });
        PruningPlan plan = TestPlans.For(source);
        CheckpointPruner.Prune(source, folder.File("a/pruned"), plan);
        using CancellationTokenSource cancel = new();
        Assert.ThrowsAny<OperationCanceledException>(() => CheckpointPruner.Prune(
            source, folder.File("b/pruned"), plan, new Callback<PruneProgress>(value => Cancel(value.Fraction)), cancel.Token));
        string journal = File.ReadAllText(folder.File("b/pruned.partial/unfinished.journal"));
        CheckpointPruner.Prune(source, folder.File("b/pruned"), plan);
        File.WriteAllText(folder.File("b/pruned/unfinished.journal"), journal);

        CheckpointPruner.Prune(source, folder.File("b/pruned"), plan);

        AssertSameFiles(folder.File("a/pruned"), folder.File("b/pruned"));
        File.WriteAllText(folder.File("b/pruned/unfinished.journal"), "something else");
        Assert.Throws<IOException>(() => CheckpointPruner.Prune(source, folder.File("b/pruned"), plan));

        void Cancel(double at)
        {
            if (at > 0.5)
            {
                cancel.Cancel();
            }
        }
    }

    private static PruningPlan Copy(PruningPlan plan, ObservedModel model) =>
        new() { Model = model, Criterion = plan.Criterion, Layers = plan.Layers };

    private static string CopyOfTiny(TemporaryFolder folder)
    {
        string source = Directory.CreateDirectory(folder.File("source")).FullName;
        foreach (string file in Directory.GetFiles(Golden.TinyModel))
        {
            File.Copy(file, Path.Combine(source, Path.GetFileName(file)));
        }

        return source;
    }

    private static float[] Logits(string path, ModelLoadOptions? options = null)
    {
        using KimiLinearModel model = KimiLinearModel.Load(path, options ?? new ModelLoadOptions());
        using SequenceState sequence = model.CreateSequence();
        float[] logits = new float[Prompt.Length * model.Config.VocabularySize];
        model.ForwardEveryToken(sequence, Prompt, logits);
        return logits;
    }

    private static void AssertSameFiles(string expected, string actual)
    {
        string[] names = [.. Directory.GetFiles(expected).Select(file => Path.GetFileName(file)).Order()];
        Assert.Equal(names, Directory.GetFiles(actual).Select(file => Path.GetFileName(file)).Order());
        Assert.All(names, name => Assert.True(
            File.ReadAllBytes(Path.Combine(expected, name)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(actual, name))),
            $"{name} differs."));
    }
}
