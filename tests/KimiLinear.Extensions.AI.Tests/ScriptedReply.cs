using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Makes the model write given texts, one for each request, and keeps the prompts it read.</summary>
/// <remarks>
/// Names of special tokens in the texts become those tokens. The last text is repeated if there are more requests.
/// </remarks>
internal sealed class ScriptedReply(KimiTokenizer tokenizer, params string[] replies)
{
    private readonly List<int[]> _prompts = [];
    private int _requestCount;

    /// <summary>What becomes of a reply's tokens before the model writes them.</summary>
    public Func<int[], int[]> Edit { get; init; } = ids => ids;

    /// <summary>The prompts read so far, markers included.</summary>
    public IReadOnlyList<string> Prompts => [.. _prompts.Select(prompt => tokenizer.Decode(prompt))];

    public string Prompt => Prompts[^1];

    public int[] PromptTokenIds => _prompts[^1];

    /// <summary>The tokens of the first reply, the one that ends it included.</summary>
    public int TokenCount => Script(0).Length;

    /// <summary>Options of requests that get these replies.</summary>
    public ChatOptions Options(params AITool[] tools) => new()
    {
        Tools = tools.Length > 0 ? tools : null,
        RawRepresentationFactory = _ => new GenerationOptions
        {
            SamplingOptions = new SamplingOptions
            {
                Temperature = 0,
                Processors = [new Processor(Script(_requestCount++), _prompts)],
            },
        },
    };

    private int[] Script(int request) =>
    [
        .. Edit([.. tokenizer.Encode(replies[Math.Min(request, replies.Length - 1)], allowSpecialTokens: true)]),
        tokenizer.GetSpecialTokenId("<|im_end|>"),
    ];

    private sealed class Processor(int[] script, List<int[]> prompts) : ILogitsProcessor
    {
        public void Process(in LogitsContext context, Span<float> logits)
        {
            if (context.GeneratedTokenIds.IsEmpty)
            {
                prompts.Add(context.PromptTokenIds.ToArray());
            }

            logits.Fill(float.NegativeInfinity);
            logits[script[Math.Min(context.GeneratedTokenIds.Length, script.Length - 1)]] = 1;
        }
    }
}
