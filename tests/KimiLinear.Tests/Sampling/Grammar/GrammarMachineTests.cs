using System.Text.Json;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class GrammarMachineTests
{
    private static readonly KimiTokenizer Tokenizer = GrammarVocabulary.Small;

    public static TheoryData<string> Schemas() =>
    [
        """{"type": "string"}""",
        """{"type": "string", "maxLength": 300, "minLength": 40}""",
        """{"type": "string", "maxLength": 4}""",
        """{"type": "string", "pattern": "^[a-z世]+[0-9]{2}"}""",
        """{"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 120}, "maxItems": 200}""",
        """{"type": "object"}""",
        """{"type": "object", "properties": {"a": {"type": "number"}, "name": {"type": ["string", "null"]}}, "required": ["name"]}""",
        """{"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string", "minLength": 6}, {"enum": ["value", "items", 12]}]}""",
    ];

    [Theory]
    [MemberData(nameof(Schemas))]
    public void MaskOf_StatesOfRandomReplies_IsEveryTokenTriedByItself(string schema)
    {
        JsonGrammar grammar = JsonGrammar.Compile(JsonElement.Parse(schema));
        GrammarMachine machine = new(grammar.Bytes.Root, 64, TokenTrie.Of(Tokenizer));
        Random random = new(42);

        for (int walk = 0; walk < 8; walk++)
        {
            GrammarNode state = machine.Start;
            for (int step = 0; step < 60; step++)
            {
                int[] expected =
                    [.. Enumerable.Range(0, Tokenizer.BaseVocabularySize).Where(id => machine.Step(state, Tokenizer.GetBytes(id)) is not null)];
                TokenMask mask = machine.MaskOf(state);

                Assert.Equal(expected, Enumerable.Range(0, Tokenizer.BaseVocabularySize).Where(mask.Contains));
                if (expected.Length == 0)
                {
                    Assert.True(state.IsNullable);
                    break;
                }

                state = machine.Step(state, Tokenizer.GetBytes(expected[random.Next(expected.Length)]))!;
            }
        }
    }
}
