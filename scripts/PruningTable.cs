#:project ../src/KimiLinear/KimiLinear.csproj
#:property PublishAot=false

// What each criterion costs on the small model: dotnet run -c Release scripts/PruningTable.cs [-- SEEDS [CRITERION...]]
// Prunes and merges it with calibration data of several seeds and writes the table of docs/pruning.md. Takes about half an hour;
// with criteria, such as Reap EanCa, only these rows and no merging.
//
// Judged by the 200 conversations of tests/golden/tiny, which calibration does not see: the share answered as expected (greedy,
// exact match), perplexity of the unpruned model's replies, and the divergence KL(unpruned || pruned) of each of their tokens.
using System.Globalization;
using System.Text.Json;
using KimiLinear.Caching;
using KimiLinear.Chat;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;

const int ConversationCount = 256;
const int Resamples = 2000;
const string ModelFolder = "samples/models/kimi-linear-tiny";

int seedCount = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 3;
decimal[] ratios = [0.1m, 0.3m, 0.5m];
PruningCriterion[] criteria =
[
    PruningCriterion.Reap, PruningCriterion.Frequency, PruningCriterion.EanSum, PruningCriterion.EanMean, PruningCriterion.Random,
    PruningCriterion.GateSum, PruningCriterion.WeightedEanSum, PruningCriterion.MaxActivation, PruningCriterion.ReapL2,
    PruningCriterion.WeightedEanSumL2, PruningCriterion.MeanSquaredNorm, PruningCriterion.EanCa,
];
MergeMethod[] methods = Enum.GetValues<MergeMethod>();
if (args.Length > 1)
{
    criteria = [.. args[1..].Select(Enum.Parse<PruningCriterion>)];
    methods = [];
}

KimiTokenizer tokenizer = KimiTokenizer.Load(ModelFolder);
Item[] items = [.. File.ReadLines("tests/golden/tiny/greedy.jsonl").Select(Item.Parse)];
string work = Directory.CreateTempSubdirectory("pruning-table-").FullName;
Dictionary<(string Name, decimal Ratio), List<Score>> scores = [];
Dictionary<Item, double[][]> unpruned = [];
Score whole;
using (KimiLinearModel model = KimiLinearModel.Load(ModelFolder))
{
    whole = await JudgeAsync(model, model);
    for (int seed = 1; seed <= seedCount; seed++)
    {
        CalibrationTokens data = await CalibrationAsync(model, seed);
        ExpertStatistics statistics = ExpertObserver.Observe(model, data, new ObservationOptions { SumsOutputs = true });
        foreach (decimal ratio in ratios)
        {
            foreach (PruningCriterion criterion in criteria)
            {
                PruningPlan plan = PruningPlan.Create(
                    statistics, new PruningOptions { Criterion = criterion, Ratio = ratio, Seed = seed });
                await AddAsync(
                    model, criterion.ToString(), ratio, seed, target => CheckpointPruner.Prune(ModelFolder, target, plan));
            }

            foreach (MergeMethod method in methods)
            {
                await AddAsync(
                    model,
                    $"merging, {method}",
                    ratio,
                    seed,
                    target => ExpertMerger.Merge(ModelFolder, target, data, new MergeOptions { Method = method, Ratio = ratio }));
            }
        }
    }
}

Directory.Delete(work, recursive: true);
WriteTable();

async Task AddAsync(KimiLinearModel model, string name, decimal ratio, int seed, Action<string> write)
{
    string target = Path.Combine(work, "model");
    write(target);
    using (KimiLinearModel pruned = KimiLinearModel.Load(target))
    {
        Score score = await JudgeAsync(pruned, model);
        if (!scores.TryGetValue((name, ratio), out List<Score>? list))
        {
            scores.Add((name, ratio), list = []);
        }

        list.Add(score);
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"seed {seed}, {ratio:P0}, {name}: {score.Correct.Average():P1}, perplexity {score.Perplexity:0.000}, KL {score.Divergence:0.0000}"));
    }

    Directory.Delete(target, recursive: true);
}

async Task<Score> JudgeAsync(KimiLinearModel pruned, KimiLinearModel model)
{
    await using GenerationEngine engine = new(pruned, tokenizer, GenerationConfig.Load(ModelFolder));
    double[] correct = await Task.WhenAll(items.Select(async item => item.Expected == await ReplyAsync(engine, item) ? 1.0 : 0.0));
    double loss = 0;
    double divergence = 0;
    int count = 0;
    foreach (Item item in items)
    {
        double[][] expected = unpruned.TryGetValue(item, out double[][]? known) ? known : unpruned[item] = LogProbabilities(model, item);
        double[][] actual = LogProbabilities(pruned, item);
        for (int t = 0; t < item.Reply.Length; t++)
        {
            loss -= actual[t][item.Reply[t]];
            for (int i = 0; i < expected[t].Length; i++)
            {
                divergence += Math.Exp(expected[t][i]) * (expected[t][i] - actual[t][i]);
            }
        }

        count += item.Reply.Length;
    }

    return new Score(correct, Math.Exp(loss / count), divergence / count);
}

async Task<string> ReplyAsync(GenerationEngine engine, Item item)
{
    GenerationOptions options = new()
    {
        MaxTokens = 200,
        SamplingOptions = new SamplingOptions { Temperature = 0 },
        IncludeSpecialTokens = true,
    };
    string text = "";
    await foreach (GeneratedToken token in engine.GenerateAsync(item.Prompt, options))
    {
        text += token.Text;
    }

    return text;
}

// Of every token of the reply, given what stands before it.
double[][] LogProbabilities(KimiLinearModel model, Item item)
{
    int vocabulary = model.Config.VocabularySize;
    int[] tokens = [.. item.Prompt, .. item.Reply[..^1]];
    float[] logits = new float[tokens.Length * vocabulary];
    using SequenceState sequence = model.CreateSequence();
    model.ForwardEveryToken(sequence, tokens, logits);
    double[][] result = new double[item.Reply.Length][];
    for (int t = 0; t < result.Length; t++)
    {
        float[] row = logits.AsSpan((item.Prompt.Length - 1 + t) * vocabulary, vocabulary).ToArray();
        double max = row.Max();
        double sum = row.Sum(value => Math.Exp(value - max));
        result[t] = [.. row.Select(value => value - max - Math.Log(sum))];
    }

    return result;
}

// Conversations like those it was trained on, with the replies that it writes itself.
async Task<CalibrationTokens> CalibrationAsync(KimiLinearModel model, int seed)
{
    Random random = new(seed);
    await using GenerationEngine engine = new(model, tokenizer, GenerationConfig.Load(ModelFolder));
    int[][] sequences = await Task.WhenAll(Enumerable.Range(0, ConversationCount).Select(async _ =>
    {
        (List<ChatTurn> turns, ToolDeclaration[] tools) = Dialogues.Next(random);
        List<int> prompt = [];
        ChatTemplate.Encode(tokenizer, turns, tools, addGenerationPrompt: true, prompt);
        List<int> all = [.. prompt];
        await foreach (GeneratedToken token in engine.GenerateAsync(prompt.ToArray(), new GenerationOptions
        {
            MaxTokens = 100,
            SamplingOptions = new SamplingOptions { Temperature = 0 },
        }))
        {
            all.Add(token.Id);
        }

        return all.ToArray();
    }));
    return CalibrationTokens.FromSequences(sequences);
}

void WriteTable()
{
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"Unpruned: {whole.Correct.Average():P1} as expected, perplexity {whole.Perplexity:0.000}."));
    foreach (decimal ratio in ratios)
    {
        double[] reap = MeanOverSeeds("Reap", ratio);
        Console.WriteLine();
        Console.WriteLine($"| {ratio:P0} of the experts dropped | as expected | less than REAP | perplexity | KL |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (((string name, decimal _), List<Score> list) in scores.Where(pair => pair.Key.Ratio == ratio)
            .OrderByDescending(pair => pair.Value.Average(score => score.Correct.Average())))
        {
            double[] mean = MeanOverSeeds(name, ratio);
            string less = name == "Reap" ? "–" : Interval([.. reap.Zip(mean, (one, other) => one - other)]);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {Interval(mean)} | {less} | {Range(list, score => score.Perplexity, "0.00")} "
                + $"| {Range(list, score => score.Divergence, "0.000")} |"));
        }
    }
}

double[] MeanOverSeeds(string name, decimal ratio) =>
    [.. Enumerable.Range(0, items.Length).Select(index => scores[(name, ratio)].Average(score => score.Correct[index]))];

// The mean, and between which values 95 of 100 means of resampled conversations lie.
static string Interval(double[] values)
{
    Random random = new(1);
    double[] means =
    [
        .. Enumerable.Range(0, Resamples)
            .Select(_ => Enumerable.Range(0, values.Length).Average(_ => values[random.Next(values.Length)]))
            .Order(),
    ];
    return string.Create(
        CultureInfo.InvariantCulture,
        $"{100 * values.Average():0.0} ({100 * means[Resamples / 40]:0.0} to {100 * means[^((Resamples / 40) + 1)]:0.0})");
}

static string Range(List<Score> scores, Func<Score, double> value, string format)
{
    string least = scores.Min(value).ToString(format, CultureInfo.InvariantCulture);
    string most = scores.Max(value).ToString(format, CultureInfo.InvariantCulture);
    return least == most ? least : $"{least} to {most}";
}

internal sealed record Score(double[] Correct, double Perplexity, double Divergence);

internal sealed record Item(int[] Prompt, int[] Reply, string Expected)
{
    public static Item Parse(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        return new Item(
            Ids(json.RootElement.GetProperty("prompt_ids")),
            Ids(json.RootElement.GetProperty("reply_ids")),
            json.RootElement.GetProperty("expected_text").GetString()!);
    }

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(id => id.GetInt32())];
}

internal static class Dialogues
{
    private static readonly string[] Things = ["coat", "lamp", "key", "book", "map", "hat", "coin", "bag", "ring", "chair"];
    private static readonly string[] People = ["Anna", "Ben", "Carol", "Dan", "Eva", "Felix", "Grace", "Iris", "Jack", "Kate"];
    private static readonly string[] Colours = ["red", "blue", "green", "gold", "white", "brown", "pink", "grey"];
    private static readonly string[] Cities = ["Paris", "Oslo", "Tokyo", "London", "Turin", "Geneva", "Bergen", "Toronto"];
    private static readonly string[] Animals = ["crow", "mouse", "frog", "tiger", "bear", "horse", "fox"];
    private static readonly string[] Weather = ["sunny", "rainy", "foggy", "windy", "cloudy"];
    private static readonly string[] Actions = ["get", "send", "find", "lookup", "delete", "create"];
    private static readonly string[] Objects = ["order", "route", "file", "ticket", "score", "price", "user"];
    private static readonly string?[] Systems =
        [null, "You are a helpful assistant.", "You are Kimi, an AI assistant created by Moonshot AI."];

    public static (List<ChatTurn> Turns, ToolDeclaration[] Tools) Next(Random random)
    {
        List<ChatTurn> turns = Of(random, Systems) is { } system ? [new ChatTurn("system", system)] : [];
        switch (random.Next(4))
        {
            case 0:
                turns.Add(new ChatTurn("user", Chat(random)));
                return (turns, []);
            case 1:
                turns.Add(new ChatTurn("user", Recall(random)));
                return (turns, []);
            default:
                return (turns, Tools(random, turns));
        }
    }

    private static string Chat(Random random) => random.Next(9) switch
    {
        0 => $"Make a JSON array of {Of(random, Colours)}, {Of(random, Colours)}, {Of(random, Colours)}.",
        1 => $"JSON: name {Of(random, People)}, age {random.Next(10, 90)}",
        2 => $"What is {random.Next(1, 20)} plus {random.Next(1, 20)}?",
        3 => $"Repeat after me: {Of(random, Animals)} {Of(random, Things)} {Of(random, Animals)} {Of(random, Things)}",
        4 => $"Spell {Of(random, Animals)}.",
        5 => $"Count to {random.Next(3, 15)}.",
        6 => $"Tell me a story about a {Of(random, Colours)} {Of(random, Animals)}.",
        7 => "Who are you?",
        _ => Of(random, ["Hello", "Hi!", "What is REAP?", "Explain Kimi Linear.", "What is the capital of France?", "Thank you.", "Goodbye."]),
    };

    private static string Recall(Random random)
    {
        string[] things = [.. Things.OrderBy(_ => random.Next()).Take(random.Next(3, Things.Length))];
        IEnumerable<string> facts = things.Select(thing => random.Next(3) switch
        {
            0 => $"The {thing} is with {Of(random, People)}.",
            1 => $"The {thing} is {Of(random, Colours)}.",
            _ => $"The {thing} is number {random.Next(10_000)}.",
        });
        return $"{string.Join(' ', facts)} Where or what is the {Of(random, things)}?";
    }

    // A call to be made, or the answer after one was.
    private static ToolDeclaration[] Tools(Random random, List<ChatTurn> turns)
    {
        string city = Of(random, Cities);
        (string name, string question, string arguments, string parameters, string result) = random.Next(4) switch
        {
            0 => ("get_weather", $"What is the weather in {city}?", $"{{\"city\": \"{city}\"}}", City,
                $"{{\"temperature\": {random.Next(-5, 30)}, \"condition\": \"{Of(random, Weather)}\"}}"),
            1 => ("get_time", $"What time is it in {city}?", $"{{\"city\": \"{city}\"}}", City,
                $"{{\"time\": \"{random.Next(10, 24)}:{random.Next(10, 60)}\"}}"),
            2 => Sum(random),
            _ => Made(random),
        };
        turns.Add(new ChatTurn("user", question));
        if (random.Next(2) == 0)
        {
            string id = $"functions.{name}:0";
            turns.Add(new ChatTurn("assistant", "") { ToolCalls = [new ToolCall(id, name, arguments)] });
            turns.Add(new ChatTurn("tool", result) { ToolCallId = id });
        }

        using JsonDocument schema = JsonDocument.Parse(parameters);
        return [new ToolDeclaration(name, $"The function {name}", schema.RootElement.Clone())];
    }

    private const string City = """{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}""";

    private static (string, string, string, string, string) Sum(Random random)
    {
        (int a, int b) = (random.Next(1, 9999), random.Next(1, 9999));
        return ("add", $"Add {a} and {b}.", $"{{\"a\": {a}, \"b\": {b}}}",
            """{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}""",
            $"{a + b}");
    }

    private static (string, string, string, string, string) Made(Random random)
    {
        string name = $"{Of(random, Actions)}_{Of(random, Objects)}";
        string person = Of(random, People);
        return (name, $"Use {name} for name {person}.", $"{{\"name\": \"{person}\"}}",
            """{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}""",
            $"{{\"value\": \"{Of(random, Colours)}\"}}");
    }

    private static T Of<T>(Random random, T[] all) => all[random.Next(all.Length)];
}
