using System.Text;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Tests.Sampling;

/// <summary>Writes a reply with the sampler and random logits at temperature 2, pushed more and more towards its end.</summary>
internal sealed class GrammarWalk
{
    private readonly KimiTokenizer _tokenizer;
    private readonly int _stopTokenId;
    private readonly int[] _endingTokenIds;
    private readonly Random _random;
    private readonly float[] _logits;

    public GrammarWalk(KimiTokenizer tokenizer, int seed)
    {
        _tokenizer = tokenizer;
        _random = new Random(seed);
        _stopTokenId = tokenizer.GetSpecialTokenId("<|im_end|>");
        _endingTokenIds =
        [
            .. Enumerable.Range(0, tokenizer.BaseVocabularySize)
                .Where(id => Encoding.Latin1.GetString(tokenizer.GetBytes(id)).All(character => "\"}]n".Contains(character))),
            _stopTokenId,
            .. ToolMarkers(tokenizer),
        ];
        _logits = new float[tokenizer.VocabularySize];
    }

    /// <summary>Gets the tokens of the last reply, without the one that ended it.</summary>
    public List<int> TokenIds { get; } = [];

    /// <summary>Writes one reply.</summary>
    /// <returns>The text with special tokens, or <see langword="null"/> if it did not end within so many tokens.</returns>
    public string? Write(ReplyGrammar grammar, int maxTokens = 400, float push = 0.15f)
    {
        ReplyConstraint constraint = new(grammar, _tokenizer, [_stopTokenId]);
        SamplingOptions options = new() { Temperature = 2, Seed = (ulong)_random.NextInt64() };
        Sampler sampler = new(options, _logits.Length, constraint: constraint);
        List<int> tokenIds = [];
        TokenIds.Clear();
        while (tokenIds.Count < maxTokens)
        {
            FillLogits(tokenIds.Count * push);
            int tokenId = sampler.Sample(new LogitsContext([], tokenIds.ToArray()), _logits, out _);
            if (tokenId == _stopTokenId)
            {
                TokenIds.AddRange(tokenIds);
                return _tokenizer.Decode(tokenIds.ToArray());
            }

            tokenIds.Add(tokenId);
        }

        return null;
    }

    private void FillLogits(float push)
    {
        for (int i = 0; i < _logits.Length; i++)
        {
            _logits[i] = _random.NextSingle() * 12;
        }

        foreach (int tokenId in _endingTokenIds)
        {
            _logits[tokenId] += push;
        }
    }

    private static IEnumerable<int> ToolMarkers(KimiTokenizer tokenizer) =>
        new[] { "<|tool_call_end|>", "<|tool_calls_section_end|>", "<|tool_call_argument_begin|>" }.Select(tokenizer.GetSpecialTokenId);
}
