using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.Pruning;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

public sealed class ModelPackerTests
{
    // Small files, so that the small model has eight or more.
    private static readonly ModelPackOptions Options = new() { ThreadCount = 2, MaxShardBytes = 300_000 };

    private static readonly int[] Prompt = FirstGoldenPrompt();

    public static TheoryData<WeightFormat> Formats { get; } =
        new(WeightFormat.BFloat16, WeightFormat.Q8, WeightFormat.Q4, WeightFormat.Q4Q8);

    [Theory]
    [MemberData(nameof(Formats))]
    public void Pack_TinyModel_ComputesWhatConvertingWhileLoadingDoes(WeightFormat format)
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");

        ModelPacker.Pack(Golden.TinyModel, target, format, Options);

        float[] expected = Logits(Golden.TinyModel, new ModelLoadOptions { Format = format });
        TensorAssert.Identical(Logits(target, new ModelLoadOptions()), expected, $"{format}");
        Assert.False(Directory.Exists(target + ".partial"));
    }

    // Measured: 0.025 for Q8, 0.065 for Q4Q8 and 0.159 for Q4. Other prompts have up to 0.38 for Q4.
    [Theory]
    [InlineData(WeightFormat.BFloat16, 0)]
    [InlineData(WeightFormat.Q8, 0.03)]
    [InlineData(WeightFormat.Q4Q8, 0.08)]
    [InlineData(WeightFormat.Q4, 0.18)]
    public void Pack_TinyModel_StaysCloseToTheSource(WeightFormat format, double tolerance)
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");
        ModelPacker.Pack(Golden.TinyModel, target, format, Options);

        float[] logits = Logits(target, new ModelLoadOptions());

        TensorAssert.Close(logits, Logits(Golden.TinyModel, new ModelLoadOptions()), tolerance, $"{format}");
    }

    [Fact]
    public void Pack_TinyModel_StoresEveryTensorAsTheFormatSays()
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");

        ModelPacker.Pack(Golden.TinyModel, target, WeightFormat.Q4Q8, Options);

        using Checkpoint source = Checkpoint.Open(Golden.TinyModel);
        using Checkpoint packed = Checkpoint.Open(target);
        Assert.Equal(source.Tensors.Count, packed.Tensors.Count);
        Assert.InRange(packed.Files.Count, 8, 100);
        Assert.All(packed.Files, file => Assert.InRange(new FileInfo(file).Length, 1, Options.MaxShardBytes + 50_000));
        foreach (StoredTensor tensor in packed.Tensors)
        {
            StoredTensor from = source.Get(tensor.Name);
            Assert.Equal(from.Shape, tensor.Shape);
            Assert.Equal(PackingRecipe.TargetType(WeightFormat.Q4Q8, from), tensor.DataType);
        }

        Assert.Equal(DataType.PackedQ8, packed.Get(WeightNames.TokenEmbedding).DataType);
        Assert.Equal(DataType.BFloat16, packed.Get("model.layers.1.block_sparse_moe.gate.weight").DataType);
        Assert.Equal(DataType.PackedQ4, packed.Get("model.layers.1.block_sparse_moe.experts.0.w1.weight").DataType);
        ModelSummary summary = ModelSummary.Inspect(target);
        Assert.InRange(summary.BitsPerWeight, 5, 7);
    }

    [Fact]
    public void Pack_AnyNumberOfThreads_GivesTheSameBytes()
    {
        using TemporaryFolder folder = new();

        ModelPacker.Pack(Golden.TinyModel, folder.File("one"), WeightFormat.Q4, Options with { ThreadCount = 1 });
        ModelPacker.Pack(Golden.TinyModel, folder.File("three"), WeightFormat.Q4, Options with { ThreadCount = 3 });

        AssertSameFiles(folder.File("one"), folder.File("three"));
    }

    [Fact]
    public void Pack_TinyModel_CopiesWhatBelongsToIt()
    {
        using TemporaryFolder folder = new();
        string source = CopyOfTiny(folder);
        File.WriteAllText(Path.Combine(source, "LICENSE"), "terms");
        File.WriteAllText(Path.Combine(source, "chat_template.jinja"), "template");
        File.WriteAllText(Path.Combine(source, "notes.txt"), "private");

        ModelPacker.Pack(source, folder.File("packed"), WeightFormat.Q8);

        string[] names = [.. Directory.GetFiles(folder.File("packed")).Select(file => Path.GetFileName(file)).Order()];
        Assert.Equal(
            [
                "LICENSE", "chat_template.jinja", "config.json", "generation_config.json", "model-00001-of-00001.safetensors",
                "model.safetensors.index.json", "tiktoken.model", "tokenizer_config.json",
            ],
            names.Order(StringComparer.Ordinal));
        JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.File("packed"), "config.json")))!;
        Assert.Equal("kimi-linear", (string)config["quantization_config"]!["quant_method"]!);
        Assert.Equal("q8", (string)config["quantization_config"]!["format"]!);
        Assert.Equal(64, ((string)config["quantization_config"]!["source_sha256"]!).Length);
    }

    [Fact]
    public void Pack_PackedModelToBFloat16_NamesNoQuantization()
    {
        using TemporaryFolder folder = new();
        ModelPacker.Pack(Golden.TinyModel, folder.File("q8"), WeightFormat.Q8);

        ModelPacker.Pack(folder.File("q8"), folder.File("bf16"), WeightFormat.BFloat16);

        string config = File.ReadAllText(Path.Combine(folder.File("bf16"), "config.json"));
        Assert.DoesNotContain("quant", config, StringComparison.Ordinal);
        using Checkpoint plain = Checkpoint.Open(folder.File("bf16"));
        Assert.DoesNotContain(plain.Tensors, tensor => PackedLayout.IsPacked(tensor.DataType));
        float[] expected = Logits(folder.File("q8"), new ModelLoadOptions());
        TensorAssert.Close(Logits(folder.File("bf16"), new ModelLoadOptions()), expected, 0.03, "unpacked");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(0.9)]
    public void Pack_Cancelled_GoesOnWhereItStopped(double fraction)
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");
        ModelPacker.Pack(Golden.TinyModel, folder.File("whole"), WeightFormat.Q4, Options);
        Stop(target, WeightFormat.Q4, fraction);
        Assert.False(Directory.Exists(target));
        Assert.Empty(Directory.GetFiles(folder.Path, "*.tmp", SearchOption.AllDirectories));
        List<double> fractions = [];

        ModelPacker.Pack(Golden.TinyModel, target, WeightFormat.Q4, Options, new Callback<ModelPackProgress>(
            progress => fractions.Add(progress.Fraction)));

        AssertSameFiles(folder.File("whole"), target);
        Assert.True(fractions[0] >= fraction - 0.2, $"It should have gone on at {fraction}, but began at {fractions[0]}.");
        Assert.Equal(1, fractions[^1]);
        Assert.Equal(fractions.Order(), fractions);
    }

    [Fact]
    public void Pack_CancelledBeforeTheFirstFile_LeavesNothing()
    {
        using TemporaryFolder folder = new();

        Stop(folder.File("packed"), WeightFormat.Q4, fraction: 0, Options with { MaxShardBytes = 1L << 40 });

        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    // What is left when a process is killed: a file torn in the middle, one cut short, and half a line in the journal.
    [Fact]
    public void Pack_AfterAKill_DoesTheTornFilesAgain()
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");
        string partial = target + ".partial";
        ModelPacker.Pack(Golden.TinyModel, folder.File("whole"), WeightFormat.Q8, Options);
        Stop(target, WeightFormat.Q8, fraction: 0.6);
        string[] finished = [.. Directory.GetFiles(partial, "*.safetensors").Order()];
        Assert.InRange(finished.Length, 4, 20);
        File.WriteAllBytes(Path.Combine(partial, "model-00009-of-00010.safetensors.0123.tmp"), new byte[1000]);
        using (FileStream stream = File.OpenWrite(finished[0]))
        {
            stream.SetLength(stream.Length / 2);
        }

        File.AppendAllText(Path.Combine(partial, "unfinished.journal"), "hash\tmodel.lay");

        ModelPacker.Pack(Golden.TinyModel, target, WeightFormat.Q8, Options);

        AssertSameFiles(folder.File("whole"), target);
    }

    [Fact]
    public void Pack_AnotherFormatThanBegun_StartsAnewAndSaysSo()
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");
        ModelPacker.Pack(Golden.TinyModel, folder.File("whole"), WeightFormat.Q8, Options);
        Stop(target, WeightFormat.Q4, fraction: 0.6);
        List<string> steps = [];

        Callback<ModelPackProgress> keep = new(progress => steps.Add(progress.Step));
        ModelPacker.Pack(Golden.TinyModel, target, WeightFormat.Q8, Options, keep);

        Assert.Contains("starting anew", steps[0], StringComparison.Ordinal);
        AssertSameFiles(folder.File("whole"), target);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pack_SourceChangedInBetween_MixesNothing(bool isLinked)
    {
        Assert.SkipWhen(isLinked && OperatingSystem.IsWindows(), "Links take a right there.");
        using TemporaryFolder folder = new();
        string files = CopyOfTiny(folder);
        string source = isLinked ? folder.LinksTo(files) : files;
        File.SetLastWriteTimeUtc(Path.Combine(files, "model.safetensors"), DateTime.UnixEpoch);
        Stop(folder.File("packed"), WeightFormat.Q8, fraction: 0.6, source: source);
        Corrupt(files, WeightNames.TokenEmbedding, row: 3, column: 5, 0x3F80);

        ModelPacker.Pack(source, folder.File("packed"), WeightFormat.Q8, Options);

        ModelPacker.Pack(source, folder.File("whole"), WeightFormat.Q8, Options);
        AssertSameFiles(folder.File("whole"), folder.File("packed"));
    }

    [Fact]
    public void Pack_ScalesWrittenInBetween_StartsAnewAndSaysSo()
    {
        using TemporaryFolder folder = new();
        using Float8ModelFolder model = new("plain", "block");
        string whole = Path.Combine(model.Path, "model.safetensors");
        string scales = Path.Combine(model.Path, "scales.safetensors");
        File.Copy(whole, scales);
        SafetensorsEdit.Remove(whole, IsScale);
        SafetensorsEdit.Remove(scales, name => !IsScale(name));
        JsonObject places = [];
        foreach (string path in (string[])[whole, scales])
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            file.Entries.ToList().ForEach(entry => places.Add(entry.Name, Path.GetFileName(path)));
        }

        File.WriteAllText(
            Path.Combine(model.Path, CheckpointIndex.FileName), new JsonObject { ["weight_map"] = places }.ToJsonString());
        ModelPackOptions options = Options with { MaxShardBytes = 20_000 };
        Stop(folder.File("packed"), WeightFormat.Q8, fraction: 0.6, options, model.Path);
        File.SetLastWriteTimeUtc(scales, DateTime.UnixEpoch);
        List<string> steps = [];

        Callback<ModelPackProgress> keep = new(progress => steps.Add(progress.Step));
        ModelPacker.Pack(model.Path, folder.File("packed"), WeightFormat.Q8, options, keep);

        Assert.Contains("or its files were written since", steps[0], StringComparison.Ordinal);

        static bool IsScale(string name) => name.EndsWith("_scale_inv", StringComparison.Ordinal);
    }

    [Fact]
    public void Pack_PartialFolderOfSomethingElse_IsLeftAlone()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder.File("packed.partial"));
        folder.Write("packed.partial/thesis.txt", [1]);

        IOException exception = Assert.Throws<IOException>(
            () => ModelPacker.Pack(Golden.TinyModel, folder.File("packed"), WeightFormat.Q8));

        Assert.Contains("something else", exception.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(folder.File("packed.partial/thesis.txt")));
    }

    [Fact]
    public void Pack_WhileAnotherPacks_IsRefused()
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");
        Exception? second = null;
        Callback<ModelPackProgress> again = new(_ => second ??= Record.Exception(
            () => ModelPacker.Pack(Golden.TinyModel, target, WeightFormat.Q8, Options)));

        ModelPacker.Pack(Golden.TinyModel, target, WeightFormat.Q8, Options, again);

        Assert.Contains("Another process", Assert.IsType<IOException>(second).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pack_TooLittleSpace_IsRefusedBeforeAnythingIsWritten()
    {
        using TemporaryFolder folder = new();
        string? asked = null;
        ModelPackOptions options = new()
        {
            FreeSpace = path =>
            {
                asked = path;
                return 1_000_000;
            },
        };

        IOException exception = Assert.Throws<IOException>(
            () => ModelPacker.Pack(Golden.TinyModel, folder.File("deep/packed"), WeightFormat.Q8, options));

        Assert.Contains("0.1 GB more", exception.Message, StringComparison.Ordinal);
        Assert.Equal(folder.Path, asked);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Pack_TargetThatExists_IsRefused()
    {
        using TemporaryFolder folder = new();
        folder.Write("file", []);

        Assert.Contains("exists already", Assert.Throws<IOException>(
            () => ModelPacker.Pack(Golden.TinyModel, folder.Path, WeightFormat.Q8)).Message, StringComparison.Ordinal);
        Assert.Contains("exists already", Assert.Throws<IOException>(
            () => ModelPacker.Pack(Golden.TinyModel, folder.File("file"), WeightFormat.Q8)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pack_NoSource_LeavesNothing()
    {
        using TemporaryFolder folder = new();

        Assert.ThrowsAny<IOException>(() => ModelPacker.Pack(folder.File("none"), folder.File("packed"), WeightFormat.Q8));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData(WeightFormat.Source)]
    [InlineData((WeightFormat)77)]
    public void Pack_NoFormatToWrite_IsRefused(WeightFormat format)
    {
        using TemporaryFolder folder = new();

        Assert.Throws<ArgumentException>(() => ModelPacker.Pack(Golden.TinyModel, folder.File("packed"), format));
    }

    [Theory]
    [InlineData(0x7FC0, "NaN")]
    [InlineData(0xFF80, "-Infinity")]
    [InlineData(0x7200, "2.5353012E+30")]
    public void Pack_ValueThatIsNoWeight_NamesItAndLeavesNothing(int bits, string value)
    {
        using TemporaryFolder folder = new();
        string source = CopyOfTiny(folder);
        Corrupt(source, "model.layers.2.self_attn.k_proj.weight", row: 17, column: 5, (ushort)bits);

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(
            () => ModelPacker.Pack(source, folder.File("packed"), WeightFormat.Q4));

        Assert.Contains("model.layers.2.self_attn.k_proj.weight", exception.Message, StringComparison.Ordinal);
        Assert.Contains($"the value {value} in row 17, column 5,", exception.Message, StringComparison.Ordinal);
        Assert.Equal([source], Directory.GetFileSystemEntries(folder.Path));
        Assert.Throws<CheckpointFormatException>(
            () => KimiLinearModel.Load(source, new ModelLoadOptions { Format = WeightFormat.Q4 }));
    }

    [Fact]
    public void Pack_EveryShapeOfModel_LoadsAndComputes()
    {
        foreach (string name in Golden.ModelNames)
        {
            using TemporaryFolder folder = new();
            ModelPacker.Pack(Golden.Model(name), folder.File("packed"), WeightFormat.Q8, Options);
            int[] prompt = [1, 2, 3, 4, 5];

            float[] logits = Logits(folder.File("packed"), new ModelLoadOptions(), prompt);

            float[] expected = Logits(Golden.Model(name), new ModelLoadOptions { Format = WeightFormat.Q8 }, prompt);
            TensorAssert.Identical(logits, expected, name);
        }
    }

    [Theory]
    [InlineData("f16")]
    [InlineData("q4_k_m")]
    [InlineData("q6_k")]
    public void Pack_GgufFile_ComputesWhatConvertingWhileLoadingDoes(string name)
    {
        using TemporaryFolder folder = new();
        string source = Path.Combine(Golden.Root, "gguf", $"{name}.gguf");
        string? given = null;
        int[] prompt = [1, 2, 3, 4, 5];

        ModelPackOptions options = new() { AddFiles = path => given = path };
        ModelPacker.Pack(source, folder.File("packed"), WeightFormat.Q8, options);

        float[] expected = Logits(source, new ModelLoadOptions { Format = WeightFormat.Q8 }, prompt);
        TensorAssert.Identical(Logits(folder.File("packed"), new ModelLoadOptions(), prompt), expected, name);
        Assert.Equal(folder.File("packed.partial"), given);
        Assert.Equal(3, Directory.GetFiles(folder.File("packed")).Length);
    }

    private static int[] FirstGoldenPrompt()
    {
        string line = File.ReadLines(Path.Combine(Golden.Root, "tiny", "greedy.jsonl")).First();
        return [.. JsonNode.Parse(line)!["prompt_ids"]!.AsArray().Select(id => (int)id!)];
    }

    private static float[] Logits(string directory, ModelLoadOptions options, int[]? prompt = null)
    {
        using KimiLinearModel model = KimiLinearModel.Load(directory, options);
        using KimiLinear.Caching.SequenceState sequence = model.CreateSequence();
        float[] logits = new float[(prompt ?? Prompt).Length * model.Config.VocabularySize];
        model.ForwardEveryToken(sequence, prompt ?? Prompt, logits);
        return logits;
    }

    private static void Stop(
        string target, WeightFormat format, double fraction, ModelPackOptions? options = null, string? source = null)
    {
        using CancellationTokenSource cancellation = new();
        Callback<ModelPackProgress> stop = new(progress =>
        {
            if (progress.Fraction >= fraction)
            {
                cancellation.Cancel();
            }
        });
        Assert.ThrowsAny<OperationCanceledException>(() => ModelPacker.Pack(
            source ?? Golden.TinyModel, target, format, options ?? Options, stop, cancellation.Token));
    }

    private static void AssertSameFiles(string expected, string actual)
    {
        string[] names = [.. Directory.GetFiles(expected).Select(file => Path.GetFileName(file)).Order()];
        Assert.Equal(names, Directory.GetFiles(actual).Select(file => Path.GetFileName(file)).Order());
        Assert.All(names, name => Assert.True(
            File.ReadAllBytes(Path.Combine(expected, name)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(actual, name))),
            $"{name} differs."));
    }

    private static string CopyOfTiny(TemporaryFolder folder)
    {
        string source = Directory.CreateDirectory(folder.File("source")).FullName;
        foreach (string file in Directory.GetFiles(Golden.TinyModel))
        {
            File.Copy(file, Path.Combine(source, Path.GetFileName(file)));
        }

        return source;
    }

    private static unsafe void Corrupt(string source, string name, int row, int column, ushort bits)
    {
        string path = Path.Combine(source, "model.safetensors");
        long offset;
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            StoredTensor tensor = file.Tensors.Single(tensor => tensor.Name == name);
            SafetensorsEntry entry = file.Entries.Single(entry => entry.Name == name);
            long dataStart = file.FileBytes - file.Entries.Max(other => other.End);
            offset = dataStart + entry.Begin + (((row * tensor.Shape[1]) + column) * sizeof(ushort));
        }

        using FileStream stream = File.OpenWrite(path);
        stream.Position = offset;
        stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in bits)));
    }
}
