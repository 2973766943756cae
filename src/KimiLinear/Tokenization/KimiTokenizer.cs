using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Tokenization;

/// <summary>Turns text into the token ids of a Kimi-Linear model, and back.</summary>
/// <remarks>
/// Ids below <see cref="BaseVocabularySize"/> are ordinary tokens: byte strings, which need not be whole characters. The ids
/// that follow, 256 in the published models, are special tokens: markers of the chat format, and reserved ones. Immutable, and
/// safe to share between threads.
/// </remarks>
public sealed class KimiTokenizer
{
    private const string VocabularyFileName = "tiktoken.model";
    private const string SettingsFileName = "tokenizer_config.json";

    private readonly Vocabulary _vocabulary;
    private readonly SpecialToken[] _specialTokens;
    private readonly byte[][] _specialBytes;
    private readonly Dictionary<string, int> _specialIds;
    private readonly SearchValues<string> _specialNames;
    private readonly string[] _specialNamesLongestFirst;

    // The text of each token, made when first asked for. Two threads may both make one: either will do.
    private readonly string?[] _texts;

    private KimiTokenizer(Vocabulary vocabulary, string[] specialNames)
    {
        _vocabulary = vocabulary;
        _specialTokens = [.. specialNames.Select((name, index) => new SpecialToken(name, vocabulary.Count + index))];
        _specialBytes = [.. specialNames.Select(Encoding.UTF8.GetBytes)];
        _specialIds = _specialTokens.ToDictionary(token => token.Name, token => token.Id, StringComparer.Ordinal);
        _specialNames = SearchValues.Create(specialNames, StringComparison.Ordinal);
        _specialNamesLongestFirst = [.. specialNames.OrderByDescending(name => name.Length)];
        _texts = new string?[VocabularySize];
    }

    /// <summary>Gets the number of token ids: ordinary and special ones together.</summary>
    public int VocabularySize => _vocabulary.Count + _specialTokens.Length;

    /// <summary>Gets the number of ordinary tokens, which is also the lowest special id.</summary>
    public int BaseVocabularySize => _vocabulary.Count;

    /// <summary>Gets every special token, the lowest id first; ids without a name of their own are named as reserved.</summary>
    public IReadOnlyList<SpecialToken> SpecialTokens => _specialTokens;

    /// <summary>Reads the tokenizer of a model.</summary>
    /// <param name="modelPath">
    /// The model's folder, with <c>tiktoken.model</c> and, if the special tokens are not those of the published models,
    /// <c>tokenizer_config.json</c>; or a GGUF file, which holds its tokenizer. A folder with one GGUF model and no
    /// <c>tiktoken.model</c> stands for that model.
    /// </param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentException"><paramref name="modelPath"/> is <see langword="null"/> or empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such file, or the folder has no <c>tiktoken.model</c>.</exception>
    /// <exception cref="ModelFormatException">One of the files is damaged.</exception>
    public static KimiTokenizer Load(string modelPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);

        string vocabularyPath = Path.Combine(modelPath, VocabularyFileName);
        if (File.Exists(vocabularyPath) || FindGguf(modelPath) is not { } gguf)
        {
            Vocabulary vocabulary = VocabularyReader.Read(vocabularyPath);
            string[] names = SpecialTokenReader.Read(Path.Combine(modelPath, SettingsFileName), vocabulary.Count);
            return new KimiTokenizer(vocabulary, names);
        }

        (Vocabulary tokens, string[] specialNames) = GgufTokenizerReader.Read(gguf);
        return new KimiTokenizer(tokens, specialNames);
    }

    /// <summary>
    /// Writes the tokenizer into a model's folder, as <c>tiktoken.model</c> and <c>tokenizer_config.json</c>: for a model whose
    /// tokenizer came in a GGUF file. Files of these names are replaced.
    /// </summary>
    /// <param name="modelDirectory">The folder, which must exist.</param>
    /// <exception cref="ArgumentException"><paramref name="modelDirectory"/> is <see langword="null"/> or empty.</exception>
    /// <exception cref="NotSupportedException">
    /// There are not 256 special tokens, the number that these files stand for.
    /// </exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public void Save(string modelDirectory)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelDirectory);
        if (_specialTokens.Length != SpecialTokenReader.Count)
        {
            throw new NotSupportedException(
                $"{VocabularyFileName} stands for a tokenizer with {SpecialTokenReader.Count} special tokens, but this one has "
                + $"{_specialTokens.Length}. Load it from where it is.");
        }

        TokenizerWriter.WriteVocabulary(Path.Combine(modelDirectory, VocabularyFileName), _vocabulary);
        TokenizerWriter.WriteSpecialTokens(Path.Combine(modelDirectory, SettingsFileName), _specialTokens);
    }

    /// <summary>Turns text into token ids. Names of special tokens in it are ordinary text; nothing is added around it.</summary>
    /// <param name="text">The text; lone surrogates in it become U+FFFD.</param>
    /// <returns>The token ids.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    public int[] Encode(string text) => Encode(text, allowSpecialTokens: false);

    /// <summary>Turns text into token ids. Nothing is added around it.</summary>
    /// <param name="text">The text; lone surrogates in it become U+FFFD.</param>
    /// <param name="allowSpecialTokens">
    /// Whether names of special tokens in the text become those tokens. Only for text of the application's own: a user who writes
    /// <c>&lt;|im_end|&gt;</c> must not end the turn.
    /// </param>
    /// <returns>The token ids.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    public int[] Encode(string text, bool allowSpecialTokens)
    {
        List<int> ids = [];
        Encode(text, ids, allowSpecialTokens);
        return [.. ids];
    }

    /// <summary>Turns text into token ids and appends them to a list.</summary>
    /// <param name="text">The text; lone surrogates in it become U+FFFD.</param>
    /// <param name="destination">The list to append to.</param>
    /// <param name="allowSpecialTokens">
    /// Whether names of special tokens in the text become those tokens. The default is <see langword="false"/>: ordinary text.
    /// </param>
    /// <exception cref="ArgumentNullException">
    /// <paramref name="text"/> or <paramref name="destination"/> is <see langword="null"/>.
    /// </exception>
    public void Encode(string text, List<int> destination, bool allowSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(destination);

        BytePairEncoder encoder = new(_vocabulary);
        foreach ((int offset, int length) in new TextSlices(text))
        {
            ReadOnlySpan<char> slice = text.AsSpan(offset, length);
            if (allowSpecialTokens)
            {
                EncodeWithSpecialTokens(slice, encoder, destination);
            }
            else
            {
                EncodeOrdinary(slice, encoder, destination);
            }
        }
    }

    /// <summary>Turns token ids into text.</summary>
    /// <param name="ids">The token ids.</param>
    /// <param name="includeSpecialTokens">
    /// Whether special tokens appear in the text by their names. The default is <see langword="true"/>.
    /// </param>
    /// <returns>The text; bytes that are not valid UTF-8 become U+FFFD.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// An id is negative, or not below <see cref="VocabularySize"/>.
    /// </exception>
    public string Decode(ReadOnlySpan<int> ids, bool includeSpecialTokens = true)
    {
        ArrayBufferWriter<byte> bytes = new();
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> token = GetBytes(id);
            if (includeSpecialTokens || !IsSpecialToken(id))
            {
                bytes.Write(token);
            }
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>Makes a detokenizer for one stream of tokens.</summary>
    /// <param name="includeSpecialTokens">
    /// Whether special tokens appear in the text by their names. The default is <see langword="false"/>.
    /// </param>
    /// <returns>A detokenizer with nothing held back.</returns>
    public IncrementalDetokenizer CreateDetokenizer(bool includeSpecialTokens = false) => new(this, includeSpecialTokens);

    /// <summary>Looks up a special token by its name. A model may lack some, the tool call markers for instance.</summary>
    /// <param name="name">The name, such as <c>&lt;|im_end|&gt;</c>.</param>
    /// <param name="id">The id, or 0 when there is no such token.</param>
    /// <returns>Whether the model has a special token of that name.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is <see langword="null"/>.</exception>
    public bool TryGetSpecialTokenId(string name, out int id)
    {
        ArgumentNullException.ThrowIfNull(name);

        return _specialIds.TryGetValue(name, out id);
    }

    /// <summary>Gets the id of a special token that the model must have.</summary>
    /// <param name="name">The name, such as <c>&lt;|im_end|&gt;</c>.</param>
    /// <returns>The id.</returns>
    /// <exception cref="ArgumentException">The model has no special token of that name.</exception>
    public int GetSpecialTokenId(string name) => TryGetSpecialTokenId(name, out int id)
        ? id
        : throw new ArgumentException(
            $"The tokenizer has no special token '{name}'. {SettingsFileName} names them, under added_tokens_decoder, or the "
            + "metadata of a GGUF file.",
            nameof(name));

    /// <summary>Tells whether an id is one of the special ones, named or reserved.</summary>
    /// <param name="id">A token id.</param>
    /// <returns><see langword="false"/> for ordinary tokens and for numbers outside the vocabulary.</returns>
    public bool IsSpecialToken(int id) => id >= BaseVocabularySize && id < VocabularySize;

    /// <summary>Gets the bytes a token stands for; for a special token, its name in UTF-8.</summary>
    /// <param name="id">A token id.</param>
    /// <returns>The bytes, which need not be valid UTF-8 by themselves.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="id"/> is negative, or not below <see cref="VocabularySize"/>.
    /// </exception>
    public ReadOnlySpan<byte> GetBytes(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(
                nameof(id),
                id,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The token id must be from 0 to {VocabularySize - 1}, the model's vocabulary, but is {id}."));
        }

        return id < BaseVocabularySize ? _vocabulary[id] : _specialBytes[id - BaseVocabularySize];
    }

    /// <summary>Gets the text of one token by itself, the same string every time.</summary>
    internal string GetText(int id) => _texts[id] ??= Encoding.UTF8.GetString(GetBytes(id));

    private static string? FindGguf(string modelPath) => File.Exists(modelPath)
        ? modelPath
        : Directory.Exists(modelPath) ? ModelLocation.FindGguf(modelPath) : null;

    private void EncodeWithSpecialTokens(ReadOnlySpan<char> text, BytePairEncoder encoder, List<int> destination)
    {
        while (text.IndexOfAny(_specialNames) is int start and >= 0)
        {
            EncodeOrdinary(text[..start], encoder, destination);
            string name = LongestNameAtStart(text[start..]);
            destination.Add(_specialIds[name]);
            text = text[(start + name.Length)..];
        }

        EncodeOrdinary(text, encoder, destination);
    }

    private string LongestNameAtStart(ReadOnlySpan<char> text)
    {
        foreach (string name in _specialNamesLongestFirst)
        {
            if (text.StartsWith(name, StringComparison.Ordinal))
            {
                return name;
            }
        }

        throw new UnreachableException("A name was found here.");
    }

    private static void EncodeOrdinary(ReadOnlySpan<char> text, BytePairEncoder encoder, List<int> destination)
    {
        foreach ((int offset, int length) in new CodePointPreTokenizer(text))
        {
            encoder.Encode(text.Slice(offset, length), destination);
        }
    }
}
