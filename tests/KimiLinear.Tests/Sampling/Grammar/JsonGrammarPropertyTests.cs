using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

/// <summary>Random schemas, random replies, and a validator that shares nothing with the compiler.</summary>
public sealed class JsonGrammarPropertyTests
{
    private const int SchemaCount = 10_000;
    private const int ChangedSchemaCount = 2_000;

    private static readonly JsonGrammarOptions Options = new() { AllowUnnamedProperties = true, MaxDepth = 6 };

    [Fact]
    public void Walk_RandomSchemas_EveryFinishedReplyFitsItsSchema()
    {
        int finishedCount = 0, impossibleCount = 0, unenforcedCount = 0;
        ConcurrentQueue<string> failures = [];

        Parallel.For(0, SchemaCount, new ParallelOptions { MaxDegreeOfParallelism = 2 }, seed =>
        {
            JsonElement schema = Parse(new RandomSchemas(seed).Next());
            if (TryCompile(schema) is not { } grammar)
            {
                Interlocked.Increment(ref impossibleCount);
                return;
            }

            string? reply = new GrammarWalk(GrammarVocabulary.Small, seed).Write(ReplyGrammar.Json(grammar));
            if (reply is null)
            {
                return;
            }

            // Where schemas that hold at once have steps without a small common multiple, or keywords beside listed objects.
            Interlocked.Increment(ref finishedCount);
            if (grammar.UnenforcedKeywords.Count > 0)
            {
                Interlocked.Increment(ref unenforcedCount);
            }
            else if (!SchemaValidator.IsValid(schema, JsonElement.Parse(reply)))
            {
                failures.Enqueue($"seed {seed}: {reply} against {schema}");
            }
        });

        Assert.True(failures.IsEmpty, string.Join('\n', failures.Take(10)));
        Assert.InRange(impossibleCount, 0, SchemaCount / 10);
        Assert.InRange(unenforcedCount, 0, SchemaCount / 100);

        // A text that must end with certain words can always end, but chance seldom finds them.
        Assert.InRange(finishedCount, (SchemaCount - impossibleCount) * 97 / 100, SchemaCount);
    }

    [Fact]
    public void Accepts_ChangedReplies_ExactlyWhatTheValidatorAccepts()
    {
        int acceptedCount = 0, rejectedCount = 0;
        ConcurrentQueue<string> failures = [];

        Parallel.For(0, ChangedSchemaCount, new ParallelOptions { MaxDegreeOfParallelism = 2 }, seed =>
        {
            JsonElement schema = Parse(new RandomSchemas(seed).Next());
            if (TryCompile(schema) is not { UnenforcedKeywords.Count: 0 } grammar
                || new GrammarWalk(GrammarVocabulary.Small, seed).Write(ReplyGrammar.Json(grammar)) is not { } reply)
            {
                return;
            }

            // Addresses and fractions of a second are a subset of what is valid; all else is complete.
            bool isComplete = !new[] { "\"uri\"", "\"email\"", "\"time\"", "\"date-time\"" }.Any(schema.ToString().Contains);
            JsonChanges changes = new(seed);
            for (int i = 0; i < 12; i++)
            {
                string changed = Spell(changes.Change(JsonNode.Parse(reply)));
                bool isValid = SchemaValidator.IsValid(schema, JsonElement.Parse(changed));
                bool isAccepted = Accepts(grammar, changed);
                if (isAccepted && !isValid || (isValid && !isAccepted && isComplete))
                {
                    failures.Enqueue($"seed {seed}: {changed} is {(isValid ? "valid" : "invalid")} against {schema}");
                }

                Interlocked.Increment(ref isValid ? ref acceptedCount : ref rejectedCount);
            }
        });

        Assert.True(failures.IsEmpty, string.Join('\n', failures.Take(10)));
        Assert.InRange(acceptedCount, 2_000, int.MaxValue);
        Assert.InRange(rejectedCount, 2_000, int.MaxValue);
    }

    private static JsonGrammar? TryCompile(JsonElement schema)
    {
        try
        {
            return JsonGrammar.Compile(schema, Options);
        }
        catch (JsonException exception) when (exception.Message.StartsWith("No value fits", StringComparison.Ordinal))
        {
            return null;
        }
    }

    private static bool Accepts(JsonGrammar grammar, string text)
    {
        GrammarMachine machine = grammar.Bytes.MachineOf(TokenTrie.Of(GrammarVocabulary.Small));
        return machine.Step(machine.Start, System.Text.Encoding.UTF8.GetBytes(text))?.IsNullable == true;
    }

    // As the model writes: only what must be escaped is, and a space follows each comma and colon.
    private static string Spell(JsonNode? node) => node switch
    {
        JsonObject members => "{" + string.Join(", ", members.Select(member => $"{Spell(member.Key)}: {Spell(member.Value)}")) + "}",
        JsonArray items => "[" + string.Join(", ", items.Select(Spell)) + "]",
        JsonValue value when value.GetValueKind() == JsonValueKind.String => Spell(value.GetValue<string>()),
        null => "null",
        _ => node.ToJsonString(),
    };

    private static string Spell(string text) => "\"" + string.Concat(text.Select(character => character switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\b' => "\\b",
        '\f' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        < ' ' => $"\\u{(int)character:x4}",
        _ => character.ToString(),
    })) + "\"";

    private static JsonElement Parse(JsonObject schema) => JsonElement.Parse(schema.ToJsonString());
}
