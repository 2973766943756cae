using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Kimi.Tests;

/// <summary>Reads one tensor of a file, independently of the library that wrote it.</summary>
internal static class Safetensors
{
    public static T[] Read<T>(string path, string name, out string dataType, out long[] shape)
        where T : struct
    {
        byte[] file = File.ReadAllBytes(path);
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        JsonElement entry = JsonSerializer.Deserialize<JsonElement>(file.AsSpan(8, headerLength)).GetProperty(name);
        int[] range = entry.GetProperty("data_offsets").Deserialize<int[]>()!;

        dataType = entry.GetProperty("dtype").GetString()!;
        shape = entry.GetProperty("shape").Deserialize<long[]>()!;
        return MemoryMarshal.Cast<byte, T>(file.AsSpan(8 + headerLength)[range[0]..range[1]]).ToArray();
    }
}
