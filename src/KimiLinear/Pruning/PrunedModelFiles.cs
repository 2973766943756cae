using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>The files of a pruned model besides its weights.</summary>
/// <param name="source">Where the model lies that they come from.</param>
/// <param name="plan">What is kept of it.</param>
/// <param name="folder">Where the files go.</param>
internal sealed class PrunedModelFiles(ModelLocation source, PruningPlan plan, string folder)
{
    /// <summary>The plan, as it lies beside the weights.</summary>
    public const string PlanFileName = "pruning-plan.json";

    private const string ModelCardFileName = "README.md";

    // The modelling code that other programs need.
    private const string ModellingCode = "*.py";

    private static readonly JsonSerializerOptions Readable =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The configuration with the new number of experts; nothing for a GGUF file, which holds its own.</summary>
    public byte[] Config { get; } = source.IsGguf
        ? []
        : ExpertCountEdit.Apply(File.ReadAllBytes(ConfigPath(source.Path)), plan.KeptExpertCount!.Value);

    /// <summary>The plan as it is written.</summary>
    public byte[] Plan { get; } = Serialize(plan);

    /// <summary>Writes them all.</summary>
    public void Write(PrunedFiles weights, string modelCard)
    {
        CompanionFiles.Copy(source, folder, ModellingCode);
        if (!source.IsGguf)
        {
            File.WriteAllBytes(ConfigPath(folder), Config);
        }

        if (!source.IsGguf && File.Exists(Path.Combine(source.Path, CheckpointIndex.FileName)))
        {
            WriteIndex(weights);
        }

        File.WriteAllBytes(Path.Combine(folder, PlanFileName), Plan);
        File.WriteAllText(Path.Combine(folder, ModelCardFileName), modelCard);
    }

    private static string ConfigPath(string directory) => Path.Combine(directory, KimiLinearConfigReader.FileName);

    private static byte[] Serialize(PruningPlan plan)
    {
        using MemoryStream stream = new();
        PruningPlanFile.Write(plan, stream);
        return stream.ToArray();
    }

    // The notes of the source's index stay, but for the size.
    private void WriteIndex(PrunedFiles weights)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(source.Path, CheckpointIndex.FileName));
        JsonObject index = JsonNode.Parse(bytes.AsSpan().TrimStart("\uFEFF"u8))!.AsObject();
        JsonObject map = [];
        foreach ((string tensor, string file) in weights.FileByTensor.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            map[tensor] = file;
        }

        JsonObject metadata = index["metadata"] as JsonObject ?? [];
        _ = index.Remove("metadata");
        metadata["total_size"] = weights.TensorBytes;
        File.WriteAllText(
            Path.Combine(folder, CheckpointIndex.FileName),
            new JsonObject { ["metadata"] = metadata, ["weight_map"] = map }.ToJsonString(Readable) + "\n");
    }
}
