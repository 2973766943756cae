using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Kimi.Evaluation.Benchmarks;
using Kimi.Evaluation.Execution;
using Microsoft.Extensions.AI;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>
/// Benchmarks whose answers are programs, from small files in their own formats: a model with known answers gets exactly the
/// known scores. The programs run in this machine's sandbox.
/// </summary>
public sealed class ProgramBenchmarkTests
{
    [Fact]
    public async Task HumanEvalPlus_KnownPrograms_GiveKnownScores()
    {
        string data = Lines(
            EvalPlus("HumanEval/900", "add_one", "def add_one(x):\n    \"\"\"Adds one.\"\"\"\n", "    return x + 1\n", [[1], [2]], [[-5]]),
            EvalPlus("HumanEval/901", "half", "def half(x):\n    \"\"\"Halves.\"\"\"\n", "    return x / 2\n", [[4]], [[3]]),
            EvalPlus("HumanEval/902", "tail", "def tail(xs):\n    \"\"\"Drops the first.\"\"\"\n", "    return xs[1:]\n", [[new[] { 1, 2 }]], [[Array.Empty<int>()]]),
            EvalPlus("HumanEval/903", "spin", "def spin(x):\n    \"\"\"Spins.\"\"\"\n", "    return x\n", [[1]], [[1]]));
        ScriptedClient client = new ScriptedClient()
            .On("Adds one.", "Sure:\n```python\nONE = 1\n\ndef add_one(x):\n    return x + ONE\n\nprint(add_one(1))\n```\nThat is it.")
            .On("Halves.", "```python\ndef half(x):\n    # near enough\n    return x / 2 + 1e-9\n```")
            .On("Drops the first.", "```python\ndef tail(xs):\n    del xs[0]\n    return xs\n```")
            .On("Spins.", "I would rather not write that.");

        using ScriptedRun run = await RunAsync("humaneval", data, client);

        run.RequireScore("base", null, 3, 4, 0.300641842582, 0.954412739190);
        run.RequireScore("plus", null, 2, 4, 0.150038989152, 0.849961010848);
        Assert.Equal(["pass", "pass", "fail", "fail"], run.Outcomes);
        Assert.Equal("ONE = 1\ndef add_one(x):\n    return x + ONE", run.Extracted[0]);
        Assert.Contains("plus: IndexError", run.Results[2].Detail);
        Assert.Equal(
            "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
            + "```python\ndef half(x):\n    \"\"\"Halves.\"\"\"\n```",
            client.Prompts.Single(prompt => prompt.Contains("Halves")));
    }

    [Fact]
    public async Task MbppPlus_KnownPrograms_GetTheTypesAndTheExceptionsOfTheBenchmark()
    {
        string data = Lines(
            EvalPlus("Mbpp/2", "similar_elements", "\"\"\"\nShared elements of tuples.\n\"\"\"\n",
                "def similar_elements(a, b):\n    return tuple(set(a) & set(b))\n", [[new[] { 3, 4 }, new[] { 4, 3 }]], [[new[] { 1 }, new[] { 2 }]]),
            EvalPlus("Mbpp/252", "to_polar", "\"\"\"\nPolar form.\n\"\"\"\n",
                "import cmath\ndef to_polar(z):\n    return cmath.polar(z)\n", [["1j"]], [["3+4j"]]),
            EvalPlus("Mbpp/737", "check_str", "\"\"\"\nBegins with a vowel.\n\"\"\"\n",
                "import re\ndef check_str(s):\n    return re.match('[aeiou]', s)\n", [["annie"]], [["dawood"]]),
            EvalPlus("Mbpp/581", "surface_Area", "\"\"\"\nSurface of a pyramid.\n\"\"\"\n",
                "def surface_Area(b, s):\n    return 2 * b * s + b * b\n", [[3, 4]], [[4, 5]]),
            EvalPlus("Mbpp/295", "sum_div", "\"\"\"\nSum of divisors.\n\"\"\"\n",
                "def sum_div(n):\n    return sum(i for i in range(1, n) if n % i == 0)\n", [[8]], [[12]]));
        ScriptedClient client = new ScriptedClient()
            .On("Shared elements", "```python\ndef similar_elements(a, b):\n    assert type(a) is tuple\n    return [x for x in a if x in b]\n```")
            .On("Polar form", "```python\nimport cmath\ndef to_polar(z):\n    return (abs(z), cmath.phase(z))\n```")
            .On("vowel", "```python\ndef check_str(s):\n    return 'x' if s[0] in 'aeiou' else None\n```")
            .On("pyramid", "```python\nimport math\ndef surface_Area(b, h):\n    return round(b * b + 2 * b * math.sqrt(b * b / 4 + h * h))\n```")
            .On("divisors", "```python\ndef sum_div(n):\n    return n\n```");

        using ScriptedRun run = await RunAsync("mbpp", data, client);

        run.RequireScore("plus", null, 4, 5, 0.375534629763, 0.963775891368);
        Assert.Equal(["pass", "pass", "pass", "pass", "fail"], run.Outcomes);
    }

    [Fact]
    public async Task HumanEvalAndMbpp_AsFirstPublished_GiveTheBaseScore()
    {
        string humanEval = Lines(new
        {
            task_id = "HumanEval/0",
            prompt = "def twice(x):\n    \"\"\"Doubles.\"\"\"\n",
            entry_point = "twice",
            canonical_solution = "    return 2 * x\n",
            test = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate('a') == 'aa'\n",
        });
        string mbpp = Lines(
            new { task_id = 11, text = "Remove the first.", code = "…", test_setup_code = "LIMIT = 3", test_list = new[] { "assert cut([1, 2]) == [2]", "assert len(cut([1, 2, 3])) < LIMIT" } },
            new { task_id = 12, text = "Sort it.", code = "…", test_setup_code = "", test_list = new[] { "assert order([2, 1]) == [1, 2]" } });
        ScriptedClient client = new ScriptedClient()
            .On("Doubles", "```python\ndef twice(x):\n    return x + x\n```")
            .On("Remove the first", "```python\ndef cut(xs):\n    return xs[1:]\n```")
            .On("Sort it", "```python\ndef order(xs):\n    return xs.sort()\n```");

        using ScriptedRun first = await RunAsync("humaneval", humanEval, client);
        using ScriptedRun second = await RunAsync("mbpp", mbpp, client);

        first.RequireScore("base", null, 1, 1, 0.206549314377, 1);
        second.RequireScore("base", null, 1, 2, 0.094531205734, 0.905468794266);
        Assert.DoesNotContain(first.Summary.Scores, row => row.Name == "plus");
        Assert.Contains(client.Prompts, prompt => prompt.EndsWith(
            "```python\n\"\"\"\nRemove the first.\nassert cut([1, 2]) == [2]\n\"\"\"\n```", StringComparison.Ordinal));
    }

    [Fact]
    public async Task LiveCodeBench_KnownPrograms_GiveKnownScoresByDifficulty()
    {
        string data = Lines(
            Live("a1", "Add the two numbers.", "", [("1 2\n", "3\n")], Packed([("10 20\n", "30.0\n")]), "easy"),
            Live("a2", "Greet the world.", "", [("", "hello\nworld")], "[]", "easy"),
            Live("a3", "Sum of a list.", "class Solution:\n    def total(self, xs: List[int], k: int) -> int:\n        ",
                [("[1, 2]\n3", "6")], Packed([("[]\n0", "0")]), "hard", "{\"func_name\": \"total\"}"),
            Live("a4", "Pairs.", "class Solution:\n    def pairs(self, n: int) -> List[int]:\n        ",
                [("2", "[0, 1]")], "[]", "hard", "{\"func_name\": \"pairs\"}"));
        ScriptedClient client = new ScriptedClient()
            .On("Add the two numbers", "Draft:\n```python\nraise 1\n```\nBetter:\n```python\nimport sys\nif __name__ == '__main__':\n    a, b = map(int, sys.stdin.read().split())\n    print(a + b)\n```\nDone.")
            .On("Greet the world", "```python\nprint('hello')\n```")
            .On("Sum of a list", "```python\nclass Solution:\n    def total(self, xs: List[int], k: int) -> int:\n        return sum(xs) + k\n```")
            .On("Pairs", "```python\nclass Solution:\n    def pairs(self, n):\n        return tuple(range(n))\n```");

        using ScriptedRun run = await RunAsync("livecodebench", data, client);

        run.RequireScore("accuracy", null, 3, 4, 0.300641842582, 0.954412739190);
        run.RequireScore("accuracy", "difficulty: easy", 1, 2, 0.094531205734, 0.905468794266);
        run.RequireScore("accuracy", "difficulty: hard", 2, 2, 0.342380227507, 1);
        Assert.Equal(["pass", "fail", "pass", "pass"], run.Outcomes);
        Assert.Contains("test 1 wrote 'hello\\n' and not 'hello\\nworld'", run.Results[1].Detail);
        Assert.Contains(client.Prompts, prompt => prompt.Contains(
            "### Question:\nGreet the world.\n\n### Format: Read the inputs from stdin", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("import sys; sys.stdout.buffer.write(sys.stdin.buffer.readline())")]
    [InlineData("print(open(0).read().strip())")]
    [InlineData("print(input())\nexit()")]
    [InlineData("for line in __import__('sys').stdin: print(line)")]
    public async Task LiveCodeBench_WaysToReadInput_AllWork(string program)
    {
        string data = Lines(Live("q", "Echo.", "", [("word\n", "word"), ("other\n", "other")], "[]", "easy"));

        using ScriptedRun run = await RunAsync(
            "livecodebench", data, new ScriptedClient().On("Echo", $"```python\n{program}\n```"));

        Assert.Equal(["pass"], run.Outcomes);
    }

    [Theory]
    [InlineData("no fence at all", "no-answer")]
    [InlineData("```python\nprint(1)", "no-answer")]
    [InlineData("```python\n```", "no-answer")]
    [InlineData("```python\nprint(\n```", "fail")]
    [InlineData("```python\nprint('2')\n```", "fail")]
    [InlineData("```python\nprint('1', end='')\n```", "pass")]
    public async Task LiveCodeBench_Replies_AreTakenBetweenTheLastTwoFences(string reply, string outcome)
    {
        string data = Lines(Live("q", "One.", "", [("", "1")], "[]", "easy"));

        using ScriptedRun run = await RunAsync("livecodebench", data, new ScriptedClient().On("One", reply));

        Assert.Equal([outcome], run.Outcomes);
    }

    [Theory]
    [InlineData("gASVBQAAAAAAAABdlIwBYZRhLg==", "more than a string")] // a list
    [InlineData("Y29zCnN5c3RlbQoufQ==", "more than a string")] // a call of a function
    [InlineData("gASM", "ends too early")]
    [InlineData("gAQu", "no string")]
    public void PackedText_OtherPickles_AreRefused(string pickle, string expected)
    {
        string packed = Zipped(Convert.FromBase64String(pickle));

        InvalidDataException exception = Assert.Throws<InvalidDataException>(() => PackedText.Read(packed));

        Assert.Contains(expected, exception.Message);
    }

    [Theory]
    // python3 -c "import pickle,zlib,base64; print(base64.b64encode(zlib.compress(pickle.dumps('[1, \"é\"]', protocol=P))).decode())"
    [InlineData("eJxrYIrgZGBgiDbUUVA6vFIptpBBDwAnUARo")]
    [InlineData("eJxrYJnKywABPZzRhjoKSodXKsVO0QMANfwFYw==")]
    public void PackedText_PicklesOfPython_GiveTheText(string packed) =>
        Assert.Equal("[1, \"é\"]", PackedText.Read(packed));

    private static async Task<ScriptedRun> RunAsync(string benchmark, string data, IChatClient client, int samples = 1)
    {
        using ProgramChecker checker = await Programs.CheckerAsync();
        return await ScriptedRun.RunAsync(benchmark, data, client, samples, judge: null, checker);
    }

    private static object EvalPlus(
        string id, string entryPoint, string prompt, string solution, object[][] baseInput, object[][] plusInput) => new
        {
            task_id = id,
            prompt,
            contract = "",
            canonical_solution = solution,
            entry_point = entryPoint,
            base_input = baseInput,
            plus_input = plusInput,
            atol = 0,
        };

    private static object Live(
        string id, string question, string starter, (string Input, string Output)[] open, string hidden, string difficulty,
        string metadata = "{}") => new
        {
            question_title = id,
            question_content = question,
            platform = starter.Length > 0 ? "leetcode" : "atcoder",
            question_id = id,
            contest_date = "2025-02-01T00:00:00",
            starter_code = starter,
            difficulty,
            public_test_cases = Tests(open),
            private_test_cases = hidden,
            metadata,
        };

    private static string Tests((string Input, string Output)[] tests) =>
        JsonSerializer.Serialize(tests.Select(test => new { input = test.Input, output = test.Output, testtype = "stdin" }));

    // base64 of zlib of a pickle of protocol 4: one string and the end.
    private static string Packed((string Input, string Output)[] tests)
    {
        byte[] text = Encoding.UTF8.GetBytes(Tests(tests));
        return Zipped([0x80, 4, (byte)'X', .. BitConverter.GetBytes(text.Length), .. text, 0x94, (byte)'.']);
    }

    private static string Zipped(byte[] bytes)
    {
        using MemoryStream packed = new();
        using (ZLibStream zlib = new(packed, CompressionLevel.Optimal))
        {
            zlib.Write(bytes);
        }

        return Convert.ToBase64String(packed.ToArray());
    }

    private static string Lines(params object[] records) =>
        string.Concat(records.Select(record => JsonSerializer.Serialize(record) + "\n"));
}
