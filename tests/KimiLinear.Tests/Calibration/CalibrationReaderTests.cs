using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KimiLinear.Calibration;
using KimiLinear.Chat;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.Calibration;

public sealed class CalibrationReaderTests : IDisposable
{
    private static readonly KimiTokenizer Tokenizer = KimiTokenizer.Load(Golden.TinyModel);

    private readonly TemporaryFolder _folder = new();

    /// <summary>A record in each form, the form's name, and the text that the model reads.</summary>
    public static TheoryData<string, string, string> Forms() => new()
    {
        { """{"text": "Hello <|im_end|>"}""", "text", "Hello <|im_end|>" },
        { """{"messages": [{"role": "user", "content": "Hi"}]}""", "messages", User("Hi") },
        {
            """{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi "}, {"type": "text", "text": "you"}]}], "x": 1}""",
            "messages",
            User("Hi you")
        },
        { """{"messages": "[{\"role\": \"user\", \"content\": \"Hi\"}]"}""", "messages-text", User("Hi") },
        { """{"conversation": [{"role": "user", "content": "Hi"}], "language": "English"}""", "wildchat", User("Hi") },
        { """{"instruction": "Add", "output": "2"}""", "evol-codealpaca", User("Add") + Assistant("2") },
        { """{"instruction": "Add", "input": "1 1", "output": "2"}""", "evol-codealpaca", User("Add\n\n1 1") + Assistant("2") },
        { """{"instruction": "Add", "response": "2"}""", "magicoder-evol-instruct", User("Add") + Assistant("2") },
        { """{"query": "Add", "answer": "2"}""", "code-feedback", User("Add") + Assistant("2") },
        { """{"problem": "1+1", "solution": "2", "source": "x"}""", "numina-math", User("1+1") + Assistant("2") },
        { """{"inputs": "Salut", "targets": "Hej"}""", "aya", User("Salut") + Assistant("Hej") },
        { """{"prompt": "A dragon", "body": "It flew."}""", "writing-prompts", User("A dragon") + Assistant("It flew.") },
        {
            """{"question": "1+1?", "choices": ["1", "2"], "answer": 1, "subject": "math"}""",
            "mmlu",
            User("1+1?\nA. 1\nB. 2\nAnswer:") + Assistant("B")
        },
        {
            """
            {"query": "Weather?", "answers": "[{\"name\": \"get\", \"arguments\": {\"city\": \"Oslo\"}}]", "tools": "[{\"name\": \"get\", \"description\": \"d\", \"parameters\": {\"city\": {\"type\": \"str\"}}}]"}
            """,
            "xlam-function-calling",
            "<|im_system|>tool_declare<|im_middle|>"
            + """[{"function":{"description":"d","name":"get","parameters":{"city":{"type":"str"}}},"type":"function"}]"""
            + "<|im_end|>" + User("Weather?")
            + "<|im_assistant|>assistant<|im_middle|><|tool_calls_section_begin|><|tool_call_begin|>functions.get:0"
            + """<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_calls_section_end|><|im_end|>"""
        },
    };

    public static TheoryData<string, string> Mistakes() => new()
    {
        { "{", "it is no valid JSON: Expected depth to be zero" },
        { "[1, 2]", "it must be an object, but is an array" },
        { "{}", "it has no keys" },
        { """{"txt": "a"}""", "it has the keys 'txt', but needs 'messages'" },
        { """{"text": "a", "text": "b"}""", "text" },
        { """{"text": 3}""", "text must be a string, but is a number" },
        { """{"text": ""}""", "it holds no text" },
        { """{"text": "\ud800"}""", "no character" },
        { """{"messages": []}""", "it holds no text" },
        { """{"messages": [{"content": "a"}]}""", "messages[0].role is missing" },
        { """{"messages": "[{]"}""", "messages is a string; it is no valid JSON: " },
        { """{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}""", "is an image, but the model reads text only" },
        { """{"messages": [{"role": "user", "content": "a"}], "tools": [{"x": 1}]}""", "tools[0].name is missing" },
        { """{"ids": [1, 2.5]}""", "ids[1] must be a token id" },
        { """{"ids": []}""", "it holds no text" },
        { """{"query": "a", "answers": "[{}]"}""", "answers[0].name is missing" },
        { """{"question": "a", "choices": ["x"], "answer": 1}""", "answer must be the index of one of the 1 choices" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Forms))]
    public void Read_KnownForm_IsWhatTheModelReads(string record, string format, string text)
    {
        CalibrationTokens data = Read(null, record.Trim());

        int[] ids = Assert.Single(data.Sequences);
        Assert.Equal(text, Tokenizer.Decode(ids));
        Assert.Equal(format, Assert.Single(data.Summary.Sources).Format);
        Assert.Equal(format != "text", ids.Any(Tokenizer.IsSpecialToken));
    }

    [Fact]
    public void Read_GoldenConversations_AreTheirRenderedPrompts()
    {
        JsonElement[] golden =
        [
            .. File.ReadLines(Path.Combine(Golden.Root, "chat_template.jsonl"))
                .Select(line => JsonSerializer.Deserialize<JsonElement>(line))
                .Where(line => !line.GetProperty("add_generation_prompt").GetBoolean())
                .Where(line => line.GetProperty("rendered").GetString()!.Length > 0),
        ];
        Assert.NotEmpty(golden);

        CalibrationTokens data = Read(null, [.. golden.Select(line => JsonSerializer.Serialize(line))]);

        Assert.Equal(golden.Select(line => line.GetProperty("rendered").GetString()), data.Sequences.Select(ids => Tokenizer.Decode(ids)));
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Read_BrokenLine_NamesFileLineAndProblem(string line, string problem)
    {
        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => Read(null, """{"text": "fine"}""", "", line, """{"text": "fine"}"""));

        Assert.Equal(_folder.File("data0.jsonl"), exception.FilePath);
        Assert.StartsWith($"'{exception.FilePath}', line 3: ", exception.Message);
        Assert.Contains(problem, exception.Message);
    }

    [Theory]
    [InlineData("""{"ids": [1, 100]}""", "its token 1 is 100, but the model's ids go from 0 to 99")]
    [InlineData("""{"ids": [-1]}""", "its token 0 is -1, but")]
    [InlineData("""{"text": "aHello"}""", "its token 1 is 808, but")]
    public void Read_TokensTheModelDoesNotKnow_NamesFileAndLine(string line, string problem)
    {
        CalibrationOptions options = new() { VocabularySize = 100 };

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => Read(options, """{"ids": [0, 99]}""", "", line));

        Assert.Equal(_folder.File("data0.jsonl"), exception.FilePath);
        Assert.StartsWith($"'{exception.FilePath}', line 3: {problem}", exception.Message);
        Assert.NotEmpty(Read(new CalibrationOptions(), line).Sequences);
    }

    [Fact]
    public void Read_LongRecords_AreCutOrLeftOut()
    {
        string[] lines = ["""{"ids": [1, 2, 3, 4, 5]}""", """{"ids": [6, 7, 8]}""", """{"ids": [9]}"""];

        CalibrationTokens cut = Read(new CalibrationOptions { MaxSequenceTokens = 3 }, lines);
        CalibrationTokens left = Read(new CalibrationOptions { MaxSequenceTokens = 3, SkipsLongRecords = true }, lines);

        Assert.Equal<int[]>([[1, 2, 3], [6, 7, 8], [9]], cut.Sequences);
        Assert.Equal<int[]>([[6, 7, 8], [9]], left.Sequences);
        Assert.Equal((true, 3, 3L, 1L, 7L), Facts(cut));
        Assert.Equal((false, 3, 2L, 0L, 4L), Facts(left));
    }

    [Fact]
    public void Read_Packed_FillsSequencesAndCutsTheLastRecordOfEach()
    {
        CalibrationTokens data = Read(
            new CalibrationOptions { MaxSequenceTokens = 4, Packs = true },
            """{"ids": [1, 2, 3]}""",
            """{"ids": [4, 5, 6]}""",
            """{"ids": [7]}""",
            """{"ids": [8, 9]}""");

        Assert.Equal<int[]>([[1, 2, 3, 4], [7, 8, 9]], data.Sequences);
        Assert.True(data.Summary.Packed);
        Assert.Equal((true, 4, 4L, 1L, 7L), Facts(data));
    }

    [Fact]
    public void Read_TokenLimit_IsDividedByWeights()
    {
        string[] lines = [.. Enumerable.Range(0, 10).Select(i => $$"""{"ids": [{{i}}, {{i}}, {{i}}]}""")];
        CalibrationFile[] files = [new(Write("a.jsonl", lines), 3), new(Write("b.jsonl", lines), 1)];

        CalibrationTokens data = CalibrationReader.Read(files, null, new CalibrationOptions { MaxTokens = 21 });

        Assert.Equal([16, 5], data.Summary.Sources.Select(source => source.TokenCount));
        Assert.Equal<int[]>(
            [[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4], [5], [0, 0, 0], [1, 1]], data.Sequences);
        Assert.Equal([6, 2], data.Summary.Sources.Select(source => source.UsedRecordCount));
        Assert.Equal([10, 10], data.Summary.Sources.Select(source => source.RecordCount));
        Assert.Equal([3, 1], data.Summary.Sources.Select(source => source.Weight));
    }

    [Fact]
    public void Read_RecordLimit_IsDividedByWeights()
    {
        string[] lines = [.. Enumerable.Range(0, 10).Select(i => $$"""{"ids": [{{i}}]}""")];
        CalibrationFile[] files = [new(Write("a.jsonl", lines)), new(Write("b.jsonl", lines))];

        CalibrationTokens data = CalibrationReader.Read(files, null, new CalibrationOptions { MaxRecords = 5 });

        Assert.Equal<int[]>([[0], [1], [2], [0], [1]], data.Sequences);
    }

    [Fact]
    public void Read_Seed_DrawsAnOrderOfAllRecords()
    {
        string[] lines = [.. Enumerable.Range(0, 50).Select(i => $$"""{"ids": [{{i}}]}""")];

        int[] first = First(1);

        Assert.Equal(first, First(1));
        Assert.NotEqual(first, First(2));
        Assert.NotEqual(Enumerable.Range(0, 50), first);
        Assert.Equal(Enumerable.Range(0, 50), first.Order());

        int[] First(int seed) => [.. Read(new CalibrationOptions { Seed = seed }, lines).Sequences.Select(ids => ids[0])];
    }

    [Fact]
    public void Read_Weights_NeedALimit()
    {
        CalibrationFile[] files = [new(Write("a.jsonl", ["""{"ids": [1]}"""]), 2), new(Write("b.jsonl", ["""{"ids": [1]}"""]))];

        Assert.Contains("there is no limit", Assert.Throws<ArgumentException>(() => CalibrationReader.Read(files, null)).Message);
        Assert.Contains("leaves nothing for", Assert.Throws<ArgumentException>(
            () => CalibrationReader.Read(files, null, new CalibrationOptions { MaxTokens = 1 })).Message);
        Assert.Contains("must be above 0", Assert.Throws<ArgumentException>(
            () => CalibrationReader.Read([files[0] with { Weight = 0 }], null)).Message);
    }

    [Fact]
    public void Read_ToolsOption_IsForConversationsWithoutTools()
    {
        CalibrationOptions options = new() { Tools = [new ToolDeclaration("look")] };

        CalibrationTokens data = Read(
            options,
            """{"messages": [{"role": "user", "content": "Hi"}]}""",
            """{"messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "other"}]}""",
            """{"messages": [{"role": "user", "content": "Hi"}], "tools": []}""",
            """{"text": "plain"}""");

        string[] texts = [.. data.Sequences.Select(ids => Tokenizer.Decode(ids))];
        Assert.Equal(ChatTemplate.Render([new ChatTurn("user", "Hi")], options.Tools, addGenerationPrompt: false), texts[0]);
        Assert.Contains("other", texts[1]);
        Assert.DoesNotContain("look", texts[1]);
        Assert.Equal(User("Hi"), texts[2]);
        Assert.Equal("plain", texts[3]);
    }

    [Fact]
    public void Read_Summary_HashesFilesAndTokens()
    {
        CalibrationTokens one = Read(null, """{"ids": [1, 2]}""", """{"ids": [3]}""");
        CalibrationTokens other = Read(null, """{"ids": [1]}""", """{"ids": [2, 3]}""");

        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_folder.File("data0.jsonl")))), other.Summary.Sources[0].Sha256);
        Assert.Equal("data0.jsonl", one.Summary.Sources[0].FileName);
        Assert.NotEqual(one.Summary.TokenHash, other.Summary.TokenHash);
    }

    [Fact]
    public void Read_LinesOfAnyEnding_AreFound()
    {
        string path = _folder.Write("mixed.jsonl", Encoding.UTF8.GetBytes("\uFEFF{\"ids\": [1]}\r\n\n \t\r\n{\"ids\": [2]}\n{\"ids\": [3]}"));

        CalibrationTokens data = CalibrationReader.Read([new CalibrationFile(path)], null);

        Assert.Equal<int[]>([[1], [2], [3]], data.Sequences);
    }

    /// <summary>Longer than the buffer in which lines are looked for.</summary>
    [Fact]
    public void Read_LongLine_IsReadWhole()
    {
        string text = string.Concat(Enumerable.Repeat("word ", 500_000));

        CalibrationTokens data = Read(
            new CalibrationOptions { MaxSequenceTokens = int.MaxValue }, """{"ids": [1]}""", $$"""{"text": "{{text}}"}""", """{"ids": [2]}""");

        Assert.Equal(text, Tokenizer.Decode(data.Sequences[1]));
        Assert.Equal([2], data.Sequences[2]);
    }

    private static string User(string text) => $"<|im_user|>user<|im_middle|>{text}<|im_end|>";

    private static string Assistant(string text) => $"<|im_assistant|>assistant<|im_middle|>{text}<|im_end|>";

    private static (bool Truncated, int MaxSequenceTokens, long Used, long Cut, long Tokens) Facts(CalibrationTokens data)
    {
        CalibrationSource source = Assert.Single(data.Summary.Sources);
        Assert.Equal(data.TokenCount, source.TokenCount);
        return (data.Summary.Truncated, data.Summary.MaxSequenceTokens, source.UsedRecordCount, source.TruncatedRecordCount,
            source.TokenCount);
    }

    private CalibrationTokens Read(CalibrationOptions? options, params string[] lines) =>
        CalibrationReader.Read([new CalibrationFile(Write("data0.jsonl", lines))], Tokenizer, options);

    private string Write(string name, string[] lines)
    {
        File.WriteAllText(_folder.File(name), string.Join('\n', lines) + "\n");
        return _folder.File(name);
    }
}
