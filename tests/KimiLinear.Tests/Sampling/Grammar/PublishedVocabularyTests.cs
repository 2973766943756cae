using System.Text;
using System.Text.Json;
using KimiLinear.Sampling;
using KimiLinear.Tests.Tokenization;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Sampling;

/// <summary>Grammars at the size of the published vocabulary; how fast they are is in docs/performance.md.</summary>
public sealed class PublishedVocabularyTests
{
    private const string Schema = """
        {"type": "object", "properties": {"city": {"type": "string", "maxLength": 90}, "days": {"type": "integer", "minimum": 1, "maximum": 14},
          "unit": {"enum": ["celsius", "fahrenheit"]}, "notes": {"type": "array", "items": {"type": "string"}}},
         "required": ["city", "days"], "additionalProperties": true}
        """;

    private const string Reply = """{"city": "the 世界 of stones", "days": 12, "unit": "celsius", "notes": ["a\nb", ""], "more": {"x": null}}""";

    private static readonly KimiTokenizer Tokenizer = Load();

    [Fact]
    public void MaskOf_EveryStateOfAReply_IsEveryTokenTriedByItself()
    {
        GrammarMachine machine = Machine();
        GrammarNode state = machine.Start;

        foreach (byte value in Encoding.UTF8.GetBytes(Reply))
        {
            TokenMask mask = machine.MaskOf(state);

            // Every token in a few states would take long, and a few tokens in every state would miss the rare ones.
            for (int id = value % 7; id < Tokenizer.BaseVocabularySize; id += 7)
            {
                bool isAllowed = machine.Step(state, Tokenizer.GetBytes(id)) is not null;
                Assert.True(isAllowed == mask.Contains(id), $"'{Tokenizer.Decode([id])}' before '{(char)value}': expected {isAllowed}");
            }

            state = machine.Step(state, [value])!;
        }

        Assert.True(state.IsNullable);
    }

    [Fact]
    public void Process_KnownStates_AllocatesNothing()
    {
        ReplyGrammar grammar = ReplyGrammar.Json(JsonGrammar.Compile(JsonElement.Parse(Schema)));
        int[] stops = [Tokenizer.GetSpecialTokenId("<|im_end|>")];
        int[] reply = Tokenizer.Encode(Reply);
        float[] logits = new float[Tokenizer.VocabularySize];
        Run(new ReplyConstraint(grammar, Tokenizer, stops));
        ReplyConstraint second = new(grammar, Tokenizer, stops);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(second);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run(ReplyConstraint constraint)
        {
            for (int i = 0; i <= reply.Length; i++)
            {
                constraint.Process(new LogitsContext([], reply.AsSpan(0, i)), logits);
            }
        }
    }

    private static GrammarMachine Machine() =>
        JsonGrammar.Compile(JsonElement.Parse(Schema)).Bytes.MachineOf(TokenTrie.Of(Tokenizer));

    private static KimiTokenizer Load()
    {
        using TemporaryTokenizerFolder folder = new();
        folder.WriteVocabulary(SyntheticVocabulary.Tokens());
        return folder.Load();
    }
}
