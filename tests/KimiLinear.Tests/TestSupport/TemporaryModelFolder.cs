using System.Buffers.Binary;
using System.Text;
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

    /// <summary>Appends a bfloat16 vector of zeros to the single weight file; the file system need not store them.</summary>
    public void AppendZeros(string name, long byteCount)
    {
        string path = System.IO.Path.Combine(Path, "model.safetensors");
        byte[] file = File.ReadAllBytes(path);
        int headerBytes = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        int dataBytes = file.Length - sizeof(long) - headerBytes;
        JsonNode header = JsonNode.Parse(file.AsSpan(sizeof(long), headerBytes))!;
        header[name] = new JsonObject
        {
            ["dtype"] = "BF16",
            ["shape"] = new JsonArray(byteCount / 2),
            ["data_offsets"] = new JsonArray(dataBytes, dataBytes + byteCount),
        };

        // A header must end where values of eight bytes may begin.
        string json = header.ToJsonString();
        byte[] headerJson = Encoding.UTF8.GetBytes(json.PadRight((json.Length + 7) / 8 * 8));
        byte[] headerLength = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(headerLength, headerJson.Length);
        using FileStream stream = File.Create(path);
        stream.Write(headerLength);
        stream.Write(headerJson);
        stream.Write(file.AsSpan(sizeof(long) + headerBytes));
        stream.SetLength(stream.Position + byteCount);
    }

    /// <summary>Whether this process still maps a file of the folder.</summary>
    /// <remarks>Only Linux tells; on Windows, deleting the folder would fail instead.</remarks>
    public bool IsMapped() =>
        OperatingSystem.IsLinux() && File.ReadAllText("/proc/self/maps").Contains(Path, StringComparison.Ordinal);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string ConfigOf(string directory) => System.IO.Path.Combine(directory, "config.json");
}
