using System.Text.Json.Nodes;

namespace KimiLinear.Tests.TestSupport;

/// <summary>A copy of a golden checkpoint that a test may change, gone when the test is done.</summary>
internal sealed class TemporaryModelFolder : IDisposable
{
    public TemporaryModelFolder(string modelName)
    {
        foreach (string file in Directory.GetFiles(Golden.Model(modelName), "model*").Append(ConfigOf(Golden.Model(modelName))))
        {
            File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("kimi-model-").FullName;

    public void DeleteWeights()
    {
        foreach (string file in Directory.GetFiles(Path, "model*"))
        {
            File.Delete(file);
        }
    }

    public void DeleteConfig() => File.Delete(ConfigOf(Path));

    public void SetConfig(string key, JsonNode value)
    {
        JsonNode config = JsonNode.Parse(File.ReadAllText(ConfigOf(Path)))!;
        config[key] = value;
        File.WriteAllText(ConfigOf(Path), config.ToJsonString());
    }

    /// <summary>Whether this process still maps a file of the folder; elsewhere than on Linux, deleting it would fail instead.</summary>
    public bool IsMapped() => OperatingSystem.IsLinux() && File.ReadAllText("/proc/self/maps").Contains(Path, StringComparison.Ordinal);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string ConfigOf(string directory) => System.IO.Path.Combine(directory, "config.json");
}
