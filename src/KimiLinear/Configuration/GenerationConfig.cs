namespace KimiLinear.Configuration;

/// <summary>What <c>generation_config.json</c> recommends for drawing tokens; everything is optional.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
public sealed record GenerationConfig
{
    private const string FileName = "generation_config.json";

    /// <summary>
    /// Gets the ids that end a reply (<c>eos_token_id</c>, a number or a list); empty when the file names none.
    /// </summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>Gets the id that may begin a text (<c>bos_token_id</c>).</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Gets the padding id (<c>pad_token_id</c>).</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Gets the softmax temperature (<c>temperature</c>), at least 0; 0 means greedy decoding.</summary>
    public float? Temperature { get; init; }

    /// <summary>Gets the probability mass that is kept (<c>top_p</c>), above 0 and at most 1.</summary>
    public float? TopP { get; init; }

    /// <summary>Gets the number of candidates that are kept (<c>top_k</c>); 0 keeps all.</summary>
    public int? TopK { get; init; }

    /// <summary>
    /// Gets the factor against tokens that occurred already (<c>repetition_penalty</c>), above 0; 1 changes nothing.
    /// </summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>
    /// Gets the longest text, prompt included, in tokens (<c>max_length</c>). For information: nothing here limits a reply to it.
    /// </summary>
    public int? MaxLength { get; init; }

    /// <summary>
    /// Gets the most tokens of a reply (<c>max_new_tokens</c>), at least 1. A chat client ends replies there when neither the
    /// request nor its own options state a limit; a generator or an engine is told its limit with each request.
    /// </summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Gets a value indicating whether tokens are drawn rather than the best one taken (<c>do_sample</c>).</summary>
    public bool? DoSample { get; init; }

    /// <summary>
    /// Reads <c>generation_config.json</c> of a model's folder; without that file nothing is recommended. A GGUF file recommends
    /// nothing either: its end tokens are part of its configuration.
    /// </summary>
    /// <param name="modelPath">The folder of the model, or its GGUF file.</param>
    /// <returns>What the file recommends.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder or file.</exception>
    /// <exception cref="ModelConfigurationException">The file is damaged or holds a value of the wrong type or range.</exception>
    public static GenerationConfig Load(string modelPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        if (File.Exists(modelPath))
        {
            return new GenerationConfig();
        }

        if (!Directory.Exists(modelPath))
        {
            throw new DirectoryNotFoundException(
                $"The model '{modelPath}' does not exist: there is no such folder and no such file.");
        }

        string filePath = Path.Combine(modelPath, FileName);
        return File.Exists(filePath) ? Parse(File.ReadAllBytes(filePath), filePath) : new GenerationConfig();
    }

    internal static GenerationConfig Parse(ReadOnlySpan<byte> utf8Json, string? filePath = null)
    {
        ConfigurationObject json = ConfigurationObject.Parse(utf8Json, filePath);
        return new GenerationConfig
        {
            EosTokenIds = json.TokenIds("eos_token_id", int.MaxValue),
            BosTokenId = json.TokenId("bos_token_id", int.MaxValue),
            PadTokenId = json.TokenId("pad_token_id", int.MaxValue),
            Temperature = json.OptionalSingle("temperature", number => number >= 0, "must be a number of at least 0"),
            TopP = json.OptionalSingle("top_p", number => number is > 0 and <= 1, "must be a number above 0 and at most 1"),
            TopK = json.OptionalInteger("top_k", 0, int.MaxValue),
            RepetitionPenalty = json.OptionalPositiveSingle("repetition_penalty"),
            MaxLength = json.OptionalInteger("max_length", 1, int.MaxValue),
            MaxNewTokens = json.OptionalInteger("max_new_tokens", 1, int.MaxValue),
            DoSample = json.OptionalBoolean("do_sample"),
        };
    }
}
