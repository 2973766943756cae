using System.Text.Json.Nodes;

namespace KimiLinear.Tests.Generation;

/// <summary>A temporary copy of the small model whose configuration allows fewer tokens.</summary>
internal sealed class ShortContextModel : IDisposable
{
    private ShortContextModel(string path) => Path = path;

    public string Path { get; }

    public static ShortContextModel Create(int contextTokens)
    {
        string path = Directory.CreateTempSubdirectory("kimi-linear-short-context").FullName;
        foreach (string file in Directory.EnumerateFiles(TinyModel.Directory))
        {
            File.Copy(file, System.IO.Path.Combine(path, System.IO.Path.GetFileName(file)));
        }

        string configPath = System.IO.Path.Combine(path, "config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(configPath))!;
        config["model_max_length"] = contextTokens;
        File.WriteAllText(configPath, config.ToJsonString());
        return new ShortContextModel(path);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
