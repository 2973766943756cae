using System.Text.Json.Nodes;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>A copy of the small model's folder that a test may change.</summary>
internal sealed class TemporaryModelFolder : IDisposable
{
    public TemporaryModelFolder()
    {
        foreach (string file in Directory.EnumerateFiles(TinyModel.Folder))
        {
            File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("kimilinear-").FullName;

    public void SetConfig(string name, JsonNode value)
    {
        string path = System.IO.Path.Combine(Path, "config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(path))!;
        config[name] = value;
        File.WriteAllText(path, config.ToJsonString());
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
