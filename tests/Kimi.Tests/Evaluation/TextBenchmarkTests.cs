using System.Text.Json;
using Kimi.CommandLine;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>
/// Benchmarks whose answers are text, from small files in their own formats: a model with known answers gets exactly the known
/// scores. The intervals were computed outside this library, with 40 digits.
/// </summary>
public sealed class TextBenchmarkTests
{
    [Fact]
    public async Task Gsm8k_KnownAnswers_GiveKnownScores()
    {
        string data = Lines(
            new { question = "Ann has 3 apples and buys 4.", answer = "3+4=<<3+4=7>>7\n#### 7" },
            new { question = "Two cars cost 1,200 each.", answer = "2*1200\n#### 2,400" },
            new { question = "Bob halves 5.", answer = "5/2\n#### 2.5" },
            new { question = "Cid counts.", answer = "#### 12" },
            new { question = "Dee is silent.", answer = "#### 1" });
        ScriptedClient client = new ScriptedClient()
            .On("Ann", "Adding, we get \\boxed{7}.")
            .On("Two cars", "That is $2,400 in total")
            .On("Bob", "The answer is \\frac{5}{2}.")
            .On("Cid", "\\boxed{13}")
            .On("Dee", "I cannot say.");

        using ScriptedRun run = await ScriptedRun.RunAsync("gsm8k", data, client);

        run.RequireScore("accuracy", null, 3, 5, 0.230724281276, 0.882379225767);
        Assert.Equal(["pass", "pass", "pass", "fail", "no-answer"], run.Outcomes);
        Assert.Equal(["7", "2400", "\\frac{5}{2}", "13", null], run.Extracted);
        Assert.Contains(
            "Ann has 3 apples and buys 4.\nPlease reason step by step, and put your final answer within \\boxed{}.", client.Prompts);
    }

    [Fact]
    public async Task Math500_KnownAnswers_GiveKnownScoresByLevel()
    {
        string data = Lines(
            new { problem = "P-one", solution = "…", answer = "\\left( 3, \\frac{\\pi}{2} \\right)", subject = "Precalculus", level = 2, unique_id = "test/a.json" },
            new { problem = "P-two", solution = "…", answer = "\\frac{3}{56}", subject = "Algebra", level = 5, unique_id = "test/b.json" },
            new { problem = "P-three", solution = "…", answer = "2\\sqrt{3}", subject = "Algebra", level = 5, unique_id = "test/c.json" });
        ScriptedClient client = new ScriptedClient()
            .On("P-one", "\\boxed{(3, \\dfrac{\\pi}{2})}")
            .On("P-two", "\\boxed{3/56}")
            .On("P-three", "\\boxed{\\sqrt{12}}");

        using ScriptedRun run = await ScriptedRun.RunAsync("math500", data, client);

        run.RequireScore("accuracy", null, 2, 3, 0.207659600802, 0.938508055280);
        run.RequireScore("accuracy", "level: 2", 1, 1, 0.206549314377, 1);
        run.RequireScore("accuracy", "level: 5", 1, 2, 0.094531205734, 0.905468794266);
        run.RequireScore("accuracy", "subject: Algebra", 1, 2, 0.094531205734, 0.905468794266);
        Assert.Equal(["test/a.json", "test/b.json", "test/c.json"], run.Results.Select(result => result.Id));
        Assert.Equal(1, run.Summary.Outcomes["fail-unless-symbolic"]);
    }

    [Fact]
    public async Task Aime25_SeveralReplies_GiveMeansOverItemsAndTheirBootstrap()
    {
        string data = Lines(new { question = "Q-one", answer = "70" }, new { problem = "Q-two", answer = 588 }, new { problem = "Q-three", answer = "016" });
        ScriptedClient client = new ScriptedClient()
            .On("Q-one", options => options.Seed == 42 ? "\\boxed{070}" : "\\boxed{71}")
            .On("Q-two", "\\boxed{588}")
            .On("Q-three", "\\boxed{16.5}");

        using ScriptedRun run = await ScriptedRun.RunAsync("aime25", data, client, samples: 2);

        // Shares of one half, one and none: their mean, and the quantiles of the same draws in fractions.
        run.RequireScore("accuracy", null, 3, 3, 0, 1);
        Assert.Equal("bootstrap", run.Summary.Scores[0].Method);
        Assert.Equal(2 / 3.0, run.Summary.PassAtSamples!.Value, 1e-15);
        Assert.Equal(["pass", "fail", "pass", "pass", "fail", "fail"], run.Outcomes);
    }

    [Fact]
    public async Task LongBench2_KnownAnswers_GiveKnownScoresByGroup()
    {
        object[] items =
        [
            LongItem("id1", "first text", "A", "easy", "short"),
            LongItem("id2", "second text", "B", "hard", "short"),
            LongItem("id3", "third text", "C", "hard", "medium"),
            LongItem("id4", "fourth text", "D", "hard", "long"),
        ];
        ScriptedClient client = new ScriptedClient()
            .On("first text", "The correct answer is (A).")
            .On("second text", "**The correct answer is B**")
            .On("third text", "The correct answer is (D)")
            .On("fourth text", "It is D.");

        // The published file is one array.
        using ScriptedRun run = await ScriptedRun.RunAsync("longbench2", JsonSerializer.Serialize(items), client);

        run.RequireScore("accuracy", null, 2, 4, 0.150038989152, 0.849961010848);
        run.RequireScore("accuracy", "difficulty: easy", 1, 1, 0.206549314377, 1);
        run.RequireScore("accuracy", "difficulty: hard", 1, 3, 0.061491944720, 0.792340399198);
        run.RequireScore("accuracy", "length: short", 2, 2, 0.342380227507, 1);
        run.RequireScore("accuracy", "length: long", 0, 1, 0, 0.793450685623);
        Assert.Equal(["A", "B", "D", null], run.Extracted);
        Assert.Contains("Choices:\n(A) one\n(B) two\n(C) three\n(D) four\n\nFormat your response", client.Prompts[0]);
    }

    [Fact]
    public async Task Frames_WithoutJudge_ComparesNormalized()
    {
        using ScriptedRun run = await ScriptedRun.RunAsync("frames", FramesData, FramesClient());

        run.RequireScore("accuracy", null, 1, 3, 0.061491944720, 0.792340399198);
        Assert.Equal(["pass", "fail", "no-answer"], run.Outcomes);
    }

    [Fact]
    public async Task Frames_WithJudge_AsksItAboutTheAnswer()
    {
        ScriptedClient judge = new ScriptedClient()
            .On("Given answer: the Jane Ballou!", "They are the same.\nYES")
            .On("Right answer: 1901\nGiven answer: nineteen-oh-one", "Both are the year 1901.\n**YES**");

        using ScriptedRun run = await ScriptedRun.RunAsync("frames", FramesData, FramesClient(), judge: judge);

        run.RequireScore("accuracy", null, 2, 3, 0.207659600802, 0.938508055280);
        Assert.Equal(2, judge.Prompts.Count);
    }

    [Fact]
    public async Task Frames_Articles_StandInThePromptOneBelowTheOther()
    {
        ScriptedClient client = FramesClient();

        using ScriptedRun run = await ScriptedRun.RunAsync("frames", FramesData, client);

        Assert.Contains(client.Prompts, prompt => prompt.Contains(
            "<text>\nMary\nMary was born.\nBallou\nA family.\n</text>\n\nWho was first?\n\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Exact_KnownAnswers_MustBeTheWholeReply()
    {
        string data = Lines(
            new { messages = new[] { new { role = "system", content = "Be short." }, new { role = "user", content = "One?" } }, answer = "1" },
            new { messages = new[] { new { role = "user", content = "Two?" } }, answer = " two words " },
            new { messages = new[] { new { role = "user", content = "Three?" } }, answer = "3" },
            new { messages = new[] { new { role = "user", content = "Four?" } }, answer = "4" });
        ScriptedClient client = new ScriptedClient()
            .On("One?", " 1\n").On("Two?", "two words").On("Three?", "3.").On("Four?", "  ");

        using ScriptedRun run = await ScriptedRun.RunAsync("exact", data, client);

        run.RequireScore("accuracy", null, 2, 4, 0.150038989152, 0.849961010848);
        Assert.Equal(["pass", "pass", "fail", "no-answer"], run.Outcomes);
        Assert.Contains("Be short.\nOne?", client.Prompts);
    }

    [Fact]
    public async Task Report_OfARun_SaysWhatTheResultsAre()
    {
        string data = Lines(
            new { messages = new[] { new { role = "user", content = "One?" } }, answer = "1", group = "a|b" },
            new { messages = new[] { new { role = "user", content = "Two?" } }, answer = "2", group = "<c>" });
        ScriptedClient client = new ScriptedClient().On("One?", "1").On("Two?", "go on and on go on and on go on and on go on and on");

        using ScriptedRun run = await ScriptedRun.RunAsync("exact", data, client);

        string markdown = run.ReadFile("report.md");
        Assert.Contains("| accuracy | 2 | 1 of 2 | 50.0 % | 9.5 % – 90.5 % (wilson) |", markdown);
        Assert.Contains("| accuracy, group: a\\|b | 1 | 1 of 1 | 100.0 % | 20.7 % – 100.0 % (wilson) |", markdown);
        Assert.Contains("| degenerate (distinct-4 below 0.55) | 1 |", markdown);
        Assert.Contains("Tokens read 20, written 6.", markdown);
        JsonElement score = JsonSerializer.Deserialize<JsonElement>(run.ReadFile("report.json")).GetProperty("scores")[0];
        Assert.Equal(0.5, score.GetProperty("value").GetDouble());
        string chart = run.ReadFile("scores.svg");
        System.Xml.Linq.XDocument.Parse(chart);
        Assert.Contains("group: &lt;c&gt;", chart);
        Assert.Contains(">50.0 % (9.5–90.5)<", chart);
    }

    public static TheoryData<string, string, string> BrokenFiles() => new()
    {
        { "gsm8k", "{\"question\":\"a\",\"answer\":\"#### 1\"}\n{\"question\":", "line 2 is not valid JSON" },
        { "gsm8k", "{\"question\":\"a\",\"answer\":\"1\"}", "line 1 has an \"answer\" without '####'" },
        { "gsm8k", "\n{\"problem\":\"a\",\"answer\":\"1\"}", "line 2 has no \"question\"; it has \"problem\", \"answer\"" },
        { "gsm8k", "", "is empty" },
        { "gsm8k", "[1]", "item 1 must be a JSON object" },
        { "math500", "{\"problem\":7,\"answer\":\"1\"}", "line 1: \"problem\" must be a JSON string" },
        { "aime25", "{\"problem\":\"a\",\"answer\":\"x\"}", "line 1 must have a whole number as its \"answer\", but it is 'x'" },
        {
            "longbench2",
            "{\"_id\":\"i\",\"context\":\"c\",\"question\":\"q\",\"choice_A\":\"a\",\"choice_B\":\"b\",\"choice_C\":\"c\",\"choice_D\":\"d\",\"answer\":\"E\"}",
            "must have A, B, C or D"
        },
        { "frames", "{\"Prompt\":\"p\",\"Answer\":\"a\",\"wiki_links\":\"[]\"}", "has no \"wiki_items\"" },
        { "exact", "{\"messages\":[],\"answer\":\"a\"}", "must have \"messages\"" },
        {
            "exact",
            "{\"messages\":[{\"role\":\"bot\",\"content\":\"x\"}],\"answer\":\"a\"}",
            "message 1 must have the role system, user or assistant, but has 'bot'"
        },
        { "humaneval", "{\"task_id\":\"HumanEval/0\",\"prompt\":\"p\",\"entry_point\":\"f\"}", "line 1 has no \"test\"" },
        { "mbpp", "{\"task_id\":1,\"text\":\"p\",\"test_list\":\"x\"}", "line 1 must have a \"test_list\"" },
        {
            "livecodebench",
            "{\"question_id\":\"q\",\"question_content\":\"c\",\"public_test_cases\":\"[]\",\"private_test_cases\":\"!!\"}",
            "neither a JSON array nor base64"
        },
        {
            "livecodebench",
            "{\"question_id\":\"q\",\"question_content\":\"c\",\"public_test_cases\":\"[{}]\",\"private_test_cases\":\"[]\"}",
            "has no \"input\""
        },
    };

    [Theory]
    [MemberData(nameof(BrokenFiles))]
    public void Read_BrokenFile_SaysWhereAndWhat(string benchmark, string data, string expected)
    {
        using TemporaryFolder folder = new();

        CommandException exception = Assert.Throws<CommandException>(() => ScriptedRun.Read(folder, benchmark, data));

        Assert.Contains(expected, exception.Message);
        Assert.Contains("data.jsonl", exception.Message);
    }

    private static string FramesData => Lines(
        new
        {
            Prompt = "Who was first?",
            Answer = "Jane Ballou",
            wiki_items = new[] { new { title = "Mary", text = "Mary was born." }, new { title = "Ballou", text = "A family." } },
        },
        new { Prompt = "Which year?", Answer = "1901", wiki_items = new[] { new { title = "Years", text = "Many." } } },
        new { Prompt = "How many?", Answer = "3", wiki_items = Array.Empty<object>() });

    private static ScriptedClient FramesClient() => new ScriptedClient()
        .On("Who was first?", "Hence the answer is Bob. Therefore, the answer is **the Jane Ballou!**")
        .On("Which year?", "Therefore, the answer is nineteen-oh-one.")
        .On("How many?", "Three.");

    private static object LongItem(string id, string context, string answer, string difficulty, string length) => new
    {
        _id = id,
        domain = "Single-Document QA",
        sub_domain = "Literary",
        difficulty,
        length,
        question = "Which?",
        choice_A = "one",
        choice_B = "two",
        choice_C = "three",
        choice_D = "four",
        answer,
        context,
    };

    private static string Lines(params object[] records) =>
        string.Concat(records.Select(record => JsonSerializer.Serialize(record) + "\n"));
}
