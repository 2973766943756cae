using System.Globalization;
using System.Text.Json;
using Kimi.CommandLine;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>Conversations whose reply must be a given text: our own format, for tasks of one's own.</summary>
internal static class ExactBenchmark
{
    public static readonly Benchmark Exact = new(
        "exact",
        "Exact match",
        "the messages of the file; the whole reply must be the answer, white space around both removed",
        512,
        Read);

    private static Item[] Read(DataFile file) =>
    [
        .. file.Records().Select(record => new Item
        {
            Id = record.OptionalText("id") ?? record.Index.ToString(CultureInfo.InvariantCulture),
            Messages = ReadMessages(record),
            Expected = record.TextOrNumber("answer").Trim(),
            Groups = record.Groups("group", "difficulty"),
        }),
    ];

    private static ChatMessage[] ReadMessages(DataRecord record)
    {
        JsonElement messages = record.Field("messages");
        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            throw record.Broken("must have \"messages\": an array of {\"role\":…,\"content\":…}, at least one.");
        }

        return [.. messages.EnumerateArray().Select((message, i) => ReadMessage(message, $"{record.Where}, message {i + 1}", i))];
    }

    private static ChatMessage ReadMessage(JsonElement message, string where, int index)
    {
        DataRecord fields = new(message, where, index);
        string role = fields.Text("role");
        return role is "system" or "user" or "assistant"
            ? new ChatMessage(new ChatRole(role), fields.Text("content"))
            : throw new CommandException($"{where} must have the role system, user or assistant, but has '{role}'.");
    }

    private sealed class Item : BenchmarkItem
    {
        public override Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken)
        {
            string answer = reply.Trim();
            return Task.FromResult(Verdict.Of(answer == Expected, answer.Length == 0 ? null : answer));
        }
    }
}
