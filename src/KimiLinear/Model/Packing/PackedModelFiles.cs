using System.IO.Enumeration;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>The files of a packed model besides its weights.</summary>
/// <param name="source">The model they come from: a folder, or a file in one.</param>
/// <param name="config">Its configuration.</param>
/// <param name="format">The format of the packed weights.</param>
/// <param name="folder">Where the files go.</param>
internal sealed class PackedModelFiles(string source, KimiLinearConfig config, WeightFormat format, string folder)
{
    private const string PlainDataType = "bfloat16";

    private static readonly JsonSerializerOptions Readable =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[] DataTypeKeys = ["dtype", "torch_dtype"];

    // What describes the model or its text, and the terms it comes under.
    private static readonly string[] Companions =
    [
        "generation_config.json", "tokenizer*", "tiktoken*", "*.tiktoken", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "merges.txt", "chat_template*", "LICENSE*", "LICENCE*", "NOTICE*", "THIRD_PARTY*", "COPYING*",
    ];

    private string SourceFolder => Directory.Exists(source) ? source : Path.GetDirectoryName(Path.GetFullPath(source))!;

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
        string path = Path.Combine(SourceFolder, KimiLinearConfigReader.FileName);
        JsonObject json = File.Exists(path)
            ? JsonNode.Parse(File.ReadAllBytes(path).AsSpan().TrimStart("\uFEFF"u8))!.AsObject()
            : KimiLinearConfigWriter.Write(config);
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
    public void CopyCompanions()
    {
        foreach (string path in Directory.GetFiles(SourceFolder))
        {
            string name = Path.GetFileName(path);
            if (Companions.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: true)))
            {
                File.Copy(path, Path.Combine(folder, name), overwrite: true);
            }
        }
    }

    private void Write(string fileName, JsonObject json) =>
        File.WriteAllText(Path.Combine(folder, fileName), json.ToJsonString(Readable) + "\n");
}
