using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Kimi.Terminal;

namespace Kimi.Benchmarking;

/// <summary>Lets callers ask a server over OpenAI's interface, streaming, without a pause between two requests.</summary>
internal sealed class ServerBench(Uri server, string? apiKey, StressSettings settings, CommandTerminal terminal)
{
    private static readonly TimeSpan PauseWhenRefused = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<string, int> _outcomes = [];

    /// <summary>Gets how requests ended, and how many so.</summary>
    public IEnumerable<(string Outcome, int Count)> Outcomes =>
        _outcomes.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, pair.Value));

    /// <summary>Asks for as long as the settings say.</summary>
    public async Task<StressRow> RunAsync(CancellationToken cancellationToken)
    {
        using SocketsHttpHandler handler = new() { MaxConnectionsPerServer = settings.CallerCount };
        using HttpClient http = new(handler) { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan };
        if (apiKey is not null)
        {
            http.DefaultRequestHeaders.Authorization = new("Bearer", apiKey);
        }

        List<TimeSpan> firstTokens = [];
        long chunks = 0;
        int asked = 0;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, settings.CallerCount).Select(CallAsync));
        return new StressRow(
            string.Create(CultureInfo.InvariantCulture, $"{settings.CallerCount} callers of {server.Authority}"),
            _outcomes.Values.Sum(),
            chunks / Stopwatch.GetElapsedTime(start).TotalSeconds,
            firstTokens);

        async Task CallAsync(int caller)
        {
            while (GoesOn())
            {
                int index = Interlocked.Increment(ref asked);
                terminal.Status.Show($"request {index}");
                string outcome;
                try
                {
                    outcome = await AskAsync(http, index, caller, NoteFirst, () => Interlocked.Increment(ref chunks), cancellationToken);
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException)
                {
                    outcome = exception.Message;
                }

                _outcomes.AddOrUpdate(outcome, 1, (_, count) => count + 1);
                if (outcome != "200")
                {
                    await Task.Delay(PauseWhenRefused, cancellationToken);
                }
            }
        }

        bool GoesOn() => settings.Duration > TimeSpan.Zero
            ? Stopwatch.GetElapsedTime(start) < settings.Duration
            : asked < settings.RequestCount;

        void NoteFirst(TimeSpan first)
        {
            lock (firstTokens)
            {
                firstTokens.Add(first);
            }
        }
    }

    private async Task<string> AskAsync(
        HttpClient http, int index, int caller, Action<TimeSpan> onFirst, Action onChunk, CancellationToken cancellationToken)
    {
        var body = new
        {
            messages = new[] { new { role = "user", content = $"{index}: {string.Concat(Enumerable.Repeat("word ", settings.PromptTokens))}" } },
            stream = true,
            max_tokens = settings.ReplyTokens,
            temperature = 1,
            user = $"caller {caller}",
        };
        using HttpRequestMessage request = new(HttpMethod.Post, "v1/chat/completions") { Content = JsonContent.Create(body) };
        long start = Stopwatch.GetTimestamp();
        using HttpResponseMessage response =
            await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            return ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture);
        }

        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(cancellationToken));
        bool isFirst = true;
        bool isWhole = false;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line == "data: [DONE]")
            {
                isWhole = true;
            }
            else if (line.StartsWith("data: {\"error\"", StringComparison.Ordinal))
            {
                return "an error in the stream";
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal) && line.Contains("\"content\"", StringComparison.Ordinal))
            {
                onChunk();
                if (isFirst)
                {
                    onFirst(Stopwatch.GetElapsedTime(start));
                    isFirst = false;
                }
            }
        }

        return isWhole ? "200" : "a stream without its end";
    }
}
