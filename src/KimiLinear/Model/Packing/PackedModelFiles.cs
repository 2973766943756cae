using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>The files of a packed model besides its weights.</summary>
/// <param name="source">Where the model lies that they come from.</param>
/// <param name="config">Its configuration.</param>
/// <param name="format">The format of the packed weights.</param>
/// <param name="folder">Where the files go.</param>
internal sealed class PackedModelFiles(ModelLocation source, KimiLinearConfig config, WeightFormat format, string folder)
{
    private const string PlainDataType = "bfloat16";

    private static readonly JsonSerializerOptions Readable =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[] DataTypeKeys = ["dtype", "torch_dtype"];

    /// <summary>Writes which tensor lies in which weight file.</summary>
    public void WriteIndex(PackPlan plan, string sourceHash)
    {
        JsonObject map = [];
        foreach (PlannedShard shard in plan.Shards)
        {
            foreach (PlannedTensor tensor in shard.Tensors)
            {
                map[tensor.StoredName] = shard.FileName;
            }
        }

        Write(CheckpointIndex.FileName, new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = plan.TotalBytes, ["source_sha256"] = sourceHash },
            ["weight_map"] = map,
        });
    }

    /// <summary>Writes the source's configuration with what packing changes in it.</summary>
    public void WriteConfig(string sourceHash)
    {
        JsonObject json = source.IsGguf ? KimiLinearConfigWriter.Write(config) : ReadConfig();
        QuantizationEntry.Remove(json);
        if (format != WeightFormat.BFloat16)
        {
            json[QuantizationEntry.Name] = QuantizationEntry.Create(format.ToString().ToLowerInvariant(), sourceHash);
        }
        else
        {
            foreach (string key in DataTypeKeys.Where(json.ContainsKey))
            {
                json[key] = PlainDataType;
            }
        }

        Write(KimiLinearConfigReader.FileName, json);
    }

    /// <summary>Copies what describes the model or its text, and the terms it comes under.</summary>
    public void CopyCompanions() => CompanionFiles.Copy(source, folder);

    private JsonObject ReadConfig()
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(source.Path, KimiLinearConfigReader.FileName));
        return JsonNode.Parse(bytes.AsSpan().TrimStart("\uFEFF"u8))!.AsObject();
    }

    private void Write(string fileName, JsonObject json) =>
        File.WriteAllText(Path.Combine(folder, fileName), json.ToJsonString(Readable) + "\n");
}
