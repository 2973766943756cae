using KimiLinear.Tokenization;

namespace KimiLinear.Tests.Tokenization;

/// <summary>A folder with tokenizer files of a test's making, gone when the test is done.</summary>
internal sealed class TemporaryTokenizerFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("kimi-tokenizer-").FullName;

    /// <summary>Gets the lines of a vocabulary of the 256 single bytes.</summary>
    public static List<string> SingleByteLines() => Lines(Enumerable.Range(0, 256).Select(value => new[] { (byte)value }));

    public void WriteVocabulary(IEnumerable<byte[]> tokens) => WriteVocabulary(Lines(tokens));

    public void WriteVocabulary(IEnumerable<string> lines) =>
        File.WriteAllText(System.IO.Path.Combine(Path, "tiktoken.model"), string.Join('\n', lines));

    public void WriteSettings(string json) => File.WriteAllText(System.IO.Path.Combine(Path, "tokenizer_config.json"), json);

    public KimiTokenizer Load() => KimiTokenizer.Load(Path);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static List<string> Lines(IEnumerable<byte[]> tokens) =>
        [.. tokens.Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}")];
}
