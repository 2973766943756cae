using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>The small model that tests/golden/gguf holds in several formats.</summary>
internal static class GgufGolden
{
    public static readonly string[] Names =
        ["f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "q4_0"];

    public static TheoryData<string> All => new(Names);

    public static string Root { get; } = Path.Combine(Golden.Root, "gguf");

    public static string File(string name) => Path.Combine(Root, $"{name}.gguf");

    /// <summary>The tokens of a file's golden run, and the logits after each of them.</summary>
    public static unsafe (int[] InputIds, float[] Logits) Expected(string name)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Root, $"{name}.expected.safetensors"));
        StoredTensor ids = file.Tensors.Single(tensor => tensor.Name == "input_ids");
        StoredTensor logits = file.Tensors.Single(tensor => tensor.Name == "logits");
        float[] values = new float[logits.Shape.ElementCount];
        StoredValues.CopyTo(logits, values);
        return (new ReadOnlySpan<int>(ids.Data, (int)ids.Shape.ElementCount).ToArray(), values);
    }
}
