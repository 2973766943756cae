using KimiLinear.Configuration;
using KimiLinear.Tokenization;

namespace KimiLinear.Generation;

/// <summary>Knows which tokens end a reply when the request does not say.</summary>
internal static class DefaultStopTokens
{
    // Some checkpoints name only one of these in their files and were trained to write the others too.
    private static readonly string[] Names = ["[EOS]", "[EOT]", "<|im_end|>"];

    /// <summary>Gathers the ids that the model's files and its tokenizer's names give.</summary>
    public static int[] Of(KimiLinearConfig config, GenerationConfig? recommended, KimiTokenizer tokenizer)
    {
        List<int> tokenIds = [.. config.EosTokenIds, .. recommended?.EosTokenIds ?? []];
        foreach (string name in Names)
        {
            if (tokenizer.TryGetSpecialTokenId(name, out int tokenId))
            {
                tokenIds.Add(tokenId);
            }
        }

        return [.. tokenIds.Distinct().Order()];
    }
}
