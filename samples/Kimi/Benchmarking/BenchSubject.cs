using Kimi.CommandLine;
using Kimi.Inspection;
using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace Kimi.Benchmarking;

/// <summary>The model that is measured.</summary>
/// <param name="Model">The model, which the caller disposes.</param>
/// <param name="Shape">The name of its shape; <see langword="null"/> when it comes from files.</param>
/// <param name="Format">How its weights are stored.</param>
internal sealed record BenchSubject(KimiLinearModel Model, string? Shape, string Format)
{
    /// <summary>The model in words.</summary>
    public string Description
    {
        get
        {
            KimiLinearConfig config = Model.Config;
            string layers = $"{config.LayerCount} {(config.LayerCount == 1 ? "layer" : "layers")}";
            return config.SparseLayers.Contains(true)
                ? $"{Shape ?? Model.Name}, {layers}, {config.ExpertCount} experts of which {config.ActiveExpertCount} active"
                : $"{Shape ?? Model.Name}, {layers}";
        }
    }

    /// <summary>Loads or makes the model.</summary>
    public static BenchSubject Open(BenchTarget target, BenchSettings settings, CommandTerminal terminal) => target switch
    {
        BenchTarget.Random random => Make(random, settings, terminal),
        BenchTarget.Stored stored => Load(stored.Path, settings, terminal),
        _ => throw new ArgumentOutOfRangeException(nameof(target)),
    };

    private static BenchSubject Make(BenchTarget.Random target, BenchSettings settings, CommandTerminal terminal)
    {
        KimiLinearConfig config = BenchShape.Config(target.Shape, target.ExpertCount, target.LayerCount);
        if (config.ExpertCount < config.ActiveExpertCount)
        {
            throw new CommandException(
                $"--experts must be at least {config.ActiveExpertCount}, as many as a token visits, "
                + $"but is {config.ExpertCount}.");
        }

        settings.RequireContext(config);
        StatusProgress progress = new("Making random weights", terminal.Status);
        var model = KimiLinearModel.CreateRandom(
            config, target.Format, settings.LoadOptions, seed: 1, progress, terminal.Interrupts.Token);
        terminal.Status.Clear();
        return new BenchSubject(model, target.Shape, target.FormatName);
    }

    private static BenchSubject Load(string path, BenchSettings settings, CommandTerminal terminal)
    {
        ModelSummary summary = ModelSummary.Inspect(path);
        settings.RequireContext(summary.Config);
        StatusProgress progress = new("Loading the model", terminal.Status);
        var model = KimiLinearModel.Load(path, settings.LoadOptions, progress, terminal.Interrupts.Token);
        terminal.Status.Clear();
        return new BenchSubject(model, Shape: null, FormatOf(summary));
    }

    private static string FormatOf(ModelSummary summary)
    {
        // A folder without weights is refused when it is loaded.
        DataType most = summary.StoredDataTypes.Count == 0 ? DataType.BFloat16 : summary.StoredDataTypes[0].DataType;
        return most switch
        {
            DataType.BFloat16 => "bf16",
            DataType.Float16 => "f16",
            DataType.Float32 => "f32",
            DataType.Float8E4M3 => "fp8",
            DataType.PackedQ8 => "q8",
            DataType.PackedQ4 => HasEightBitProjections(summary) ? "q4q8" : "q4",
            _ => ModelFacts.Name(summary.StoredDataTypes[0]),
        };
    }

    // The embedding is stored in 8 bits in both.
    private static bool HasEightBitProjections(ModelSummary summary) => summary.StoredDataTypes.Any(
        type => type.DataType == DataType.PackedQ8 && type.ValueCount > summary.EmbeddingParameterCount);
}
