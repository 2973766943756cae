using System.ClientModel;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Kimi.CommandLine;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Runs;

/// <summary>Asks a model the items of a benchmark, judges the replies and keeps them.</summary>
/// <param name="client">The model.</param>
/// <param name="protocol">How it is asked.</param>
/// <param name="graders">What judging needs.</param>
/// <param name="concurrency">How many requests are open at a time.</param>
internal sealed class EvaluationRun(IChatClient client, RunProtocol protocol, Graders graders, int concurrency)
{
    private readonly Lock _counting = new();

    /// <summary>Cuts the middle out of prompts that are too long; <see langword="null"/> leaves them whole.</summary>
    public PromptCutter? Cutter { get; init; }

    /// <summary>Runs what the folder lacks.</summary>
    /// <returns>All results, in the order of the items.</returns>
    public async Task<IReadOnlyList<ItemResult>> RunAsync(
        IReadOnlyList<BenchmarkItem> items,
        RunFolder<RunProtocol, ItemResult> folder,
        IProgress<RunProgress>? progress,
        CancellationToken cancellationToken)
    {
        Dictionary<(string, int), ItemResult> results = [];
        foreach (ItemResult done in folder.Done)
        {
            results[done.Key] = done;
        }

        (BenchmarkItem Item, int Sample)[] all =
            [.. items.SelectMany(item => Enumerable.Range(0, protocol.Samples).Select(sample => (item, sample)))];
        (BenchmarkItem Item, int Sample)[] missing = [.. all.Where(one => !results.ContainsKey((one.Item.Id, one.Sample)))];
        int before = all.Length - missing.Length;
        Stopwatch watch = Stopwatch.StartNew();
        await Parallel.ForEachAsync(
            missing,
            new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken },
            async (one, token) =>
            {
                ItemResult result = await AskAsync(one.Item, one.Sample, token);
                folder.Append(result);
                lock (_counting)
                {
                    results[result.Key] = result;
                    int now = results.Count - before;
                    progress?.Report(new RunProgress(
                        results.Count,
                        all.Length,
                        results.Values.Count(value => value.Outcome == Outcome.Pass),
                        watch.Elapsed / now * (missing.Length - now)));
                }
            });
        return [.. all.Select(one => results[(one.Item.Id, one.Sample)])];
    }

    private async Task<ItemResult> AskAsync(BenchmarkItem item, int sample, CancellationToken cancellationToken)
    {
        IReadOnlyList<ChatMessage> messages = Cutter is null ? item.Messages : Cutter.Cut(item.Messages);
        ItemResult result = new()
        {
            Benchmark = protocol.Benchmark,
            Id = item.Id,
            Sample = sample,
            PromptSha256 = HashOf(messages),
            Groups = item.Groups,
            Expected = item.Expected,
            Output = "",
            Outcome = Outcome.Oversize,
            Scores = new Dictionary<string, bool> { [protocol.MainScore] = false },
        };
        ChatOptions options = new()
        {
            MaxOutputTokens = protocol.MaxTokens,
            Temperature = protocol.Temperature,
            TopP = protocol.TopP,

            // Replies to one item must differ, and a run must be repeatable.
            Seed = protocol.Seed + sample,
        };
        Stopwatch watch = Stopwatch.StartNew();
        ChatResponse response;
        try
        {
            response = await client.GetResponseAsync(messages, options, cancellationToken);
        }
        catch (Exception exception) when (IsTooLong(exception))
        {
            return result with { Detail = exception.Message, Seconds = watch.Elapsed.TotalSeconds };
        }
        catch (Exception exception) when (AskingError.Is(exception, cancellationToken))
        {
            throw new CommandException(
                $"The model did not answer item '{item.Id}': {AskingError.Reason(exception)} "
                + "What is judged so far is kept; the same command continues.",
                exception);
        }

        double seconds = watch.Elapsed.TotalSeconds;
        Verdict verdict = await item.GradeAsync(response.Text, graders, cancellationToken);
        return result with
        {
            Output = response.Text,
            Extracted = verdict.Extracted,
            Outcome = verdict.Outcome,
            Detail = verdict.Detail,
            Scores = verdict.Scores,
            InputTokens = response.Usage?.InputTokenCount,
            OutputTokens = response.Usage?.OutputTokenCount,
            FinishReason = response.FinishReason?.Value,
            Seconds = seconds,
        };
    }

    // Neither this library nor servers of OpenAI's interface have a type of error for it; all of them say the word.
    private static bool IsTooLong(Exception exception) =>
        exception is ArgumentException or ClientResultException { Status: 400 or 413 }
        && exception.Message.Contains("context", StringComparison.OrdinalIgnoreCase);

    private static string HashOf(IReadOnlyList<ChatMessage> messages)
    {
        string text = string.Concat(messages.Select(message => $"{message.Role.Value}\0{message.Text}\0"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
