using System.Runtime.CompilerServices;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace KimiLinear.Tests.Generation;

/// <summary>The small trained model of the samples, loaded once for the tests that generate.</summary>
public sealed class TinyModel : IDisposable
{
    public static string Directory { get; } = FindDirectory();

    public KimiLinearModel Model { get; } = KimiLinearModel.Load(Directory);

    public KimiTokenizer Tokenizer { get; } = KimiTokenizer.Load(Directory);

    public TextGenerator CreateGenerator() => new(Model, Tokenizer, GenerationConfig.Load(Directory));

    /// <summary>Writes a user's turn the way the chat format does, up to where the assistant begins.</summary>
    public int[] Ask(string text) => Tokenizer.Encode(
        $"<|im_user|>user<|im_middle|>{text}<|im_end|><|im_assistant|>assistant<|im_middle|>", allowSpecialTokens: true);

    public void Dispose() => Model.Dispose();

    private static string FindDirectory([CallerFilePath] string here = "") => Path.GetFullPath(
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "samples", "models", "kimi-linear-tiny"));
}
