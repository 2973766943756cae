using System.Runtime.CompilerServices;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Expected results from independent implementations, as tests/golden/README.md describes them.</summary>
internal static class Golden
{
    /// <summary>The random small checkpoints.</summary>
    public static readonly string[] ModelNames = ["plain", "sharded-f16", "grouped", "no-shared", "strong-decay", "head128"];

    /// <summary>Where they lie: in the repository, or beside a program that was published with them.</summary>
    public static string Root { get; } = Directory.Exists(Published)
        ? Published
        : Path.Combine(RepositoryRoot(), "tests", "golden");

    /// <summary>The trained small model.</summary>
    public static string TinyModel { get; } = Directory.Exists(Published)
        ? Path.Combine(Published, "kimi-linear-tiny")
        : Path.Combine(RepositoryRoot(), "samples", "models", "kimi-linear-tiny");

    private static string Published => Path.Combine(AppContext.BaseDirectory, "golden");

    public static string Model(string name) => Path.Combine(Root, "models", name);

    public static string RepositoryRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}

/// <summary>The expected.safetensors file of one golden model.</summary>
internal sealed class GoldenExpectation : IDisposable
{
    private readonly SafetensorsFile _file;

    public GoldenExpectation(string modelName)
    {
        _file = SafetensorsFile.Open(Path.Combine(Golden.Model(modelName), "expected.safetensors"));
    }

    public int[] InputIds => Integers("input_ids");

    public float[] Logits => Floats("logits");

    /// <summary>24 prompt tokens and 40 greedy ones.</summary>
    public int[] GreedyFrom24 => Integers("greedy_from_24");

    public bool Has(string name) => _file.Tensors.Any(tensor => tensor.Name == name);

    public unsafe int[] Integers(string name)
    {
        StoredTensor tensor = Find(name);
        return new ReadOnlySpan<int>(tensor.Data, (int)tensor.Shape.ElementCount).ToArray();
    }

    public unsafe double[] Doubles(string name)
    {
        StoredTensor tensor = Find(name);
        double[] values = new double[tensor.Shape.ElementCount];
        new ReadOnlySpan<double>(tensor.Data, values.Length).CopyTo(values);
        return values;
    }

    public float[] Floats(string name)
    {
        StoredTensor tensor = Find(name);
        float[] values = new float[tensor.Shape.ElementCount];
        StoredValues.CopyTo(tensor, values);
        return values;
    }

    public void Dispose() => _file.Dispose();

    private StoredTensor Find(string name) => _file.Tensors.Single(tensor => tensor.Name == name);
}
