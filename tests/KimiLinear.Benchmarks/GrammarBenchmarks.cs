using System.Text.Json;
using BenchmarkDotNet.Attributes;
using KimiLinear.Sampling;
using KimiLinear.Tests.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Benchmarks;

/// <summary>What a grammar costs per token, at a vocabulary of the published size.</summary>
public class GrammarBenchmarks
{
    private const string Reply =
        """{"city": "the city of stones", "days": 12, "unit": "celsius", "notes": ["first line\nsecond line", "and more of it"]}""";

    private KimiTokenizer _tokenizer = null!;
    private TokenTrie _trie = null!;
    private JsonGrammar _json = null!;
    private ReplyGrammar _grammar = null!;
    private int[] _stops = null!;
    private int[] _reply = null!;
    private float[] _logits = null!;

    /// <summary>Makes the vocabulary and the grammar, and meets every state once.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        string folder = Directory.CreateTempSubdirectory("kimi-grammar-").FullName;
        File.WriteAllLines(
            Path.Combine(folder, "tiktoken.model"),
            SyntheticVocabulary.Tokens().Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}"));
        _tokenizer = KimiTokenizer.Load(folder);
        Directory.Delete(folder, recursive: true);

        _trie = TokenTrie.Of(_tokenizer);
        _json = JsonGrammar.Compile(JsonElement.Parse("""
            {"type": "object", "properties": {"city": {"type": "string", "maxLength": 90}, "days": {"type": "integer", "minimum": 1, "maximum": 14},
              "unit": {"enum": ["celsius", "fahrenheit"]}, "notes": {"type": "array", "items": {"type": "string"}}},
             "required": ["city", "days"], "additionalProperties": false}
            """));
        _grammar = ReplyGrammar.Json(_json);
        _stops = [_tokenizer.GetSpecialTokenId("<|im_end|>")];
        _reply = _tokenizer.Encode(Reply);
        _logits = new float[PublishedShape.Config.VocabularySize];
        Console.WriteLine($"// {_reply.Length} tokens, {_trie.PlaceCount} places");
        Known();
    }

    /// <summary>A reply whose states are all known.</summary>
    [Benchmark]
    public void Known() => Follow(new ReplyConstraint(_grammar, _tokenizer, _stops));

    /// <summary>The same reply, its states met for the first time, the grammar compiled.</summary>
    [Benchmark]
    public void FirstVisit()
    {
        GrammarMachine machine = new(_json.Bytes.Root, 64, _trie);
        GrammarNode state = machine.Start;
        foreach (int tokenId in _reply)
        {
            machine.MaskOf(state);
            state = machine.Step(state, _tokenizer.GetBytes(tokenId))!;
        }
    }

    private void Follow(ReplyConstraint constraint)
    {
        for (int i = 0; i <= _reply.Length; i++)
        {
            constraint.Process(new LogitsContext([], _reply.AsSpan(0, i)), _logits);
        }
    }
}
