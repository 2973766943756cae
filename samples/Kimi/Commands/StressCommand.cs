using System.CommandLine;
using System.CommandLine.Parsing;
using Kimi.Benchmarking;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tokenization;
using KimiServer.CommandLine;

namespace Kimi.Commands;

/// <summary>Measures how a model serves many callers.</summary>
internal static class StressCommand
{
    public static readonly string[] Examples =
    [
        "kimi stress --model MODEL",
        "kimi stress --model MODEL --callers 16 -p 500 -n 200",
        "kimi stress --model MODEL --minutes 10      goes on for ten minutes, half of all requests cancelled",
        "kimi stress --url http://127.0.0.1:8000 --minutes 10",
    ];

    private const int MaxCallers = 4096;
    private const int MaxTokens = 1 << 20;

    public static Command Create(CommandTerminal terminal)
    {
        Option<string?> model = new("--model", "-m") { Description = "The model to ask in this process.", HelpName = "MODEL" };
        Option<Uri?> url = new("--url")
        {
            Description = "A server to ask in its place, over OpenAI's interface.",
            HelpName = "URL",
            CustomParser = result => Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out Uri? address)
                && address.Scheme is "http" or "https"
                    ? address
                    : Refuse(result, $"--url must be an address such as http://127.0.0.1:8000, but is '{result.Tokens[0].Value}'."),
        };
        Option<string?> key = new("--api-key") { Description = "The key that the server asks for.", HelpName = "KEY" };
        Option<bool> download = CommonOptions.Download();
        Option<int?> callers = NumberOption.Whole("--callers", "How many callers ask at once [default: 64].", 1, MaxCallers);
        Option<int?> prompt = NumberOption.Whole("--prompt-tokens", "Tokens of a prompt [default: 32].", 1, MaxTokens);
        prompt.Aliases.Add("-p");
        Option<int?> reply = NumberOption.Whole("--reply-tokens", "Tokens of a reply [default: 128].", 1, MaxTokens);
        reply.Aliases.Add("-n");
        Option<int?> requests = NumberOption.Whole(
            "--requests", "How many requests there are [default: four for each caller].", 1, MaxTokens);
        Option<int?> turn = NumberOption.Whole(
            "--turn", "Tokens of a conversation whose second turn is timed; 0 for none [default: 2000].", 0, MaxTokens);
        Option<double?> minutes = NumberOption.Create<double>(
            "--minutes",
            "Go on for so long in place of counting requests; half of those in this process are cancelled on their way.",
            "a number above 0, at most 10000",
            value => value is > 0 and <= 10_000);
        Option<bool> noPrefixes = new("--no-prefixes")
        {
            Description = "Read every prompt whole; then each reply must be, bit for bit, the one its request gets alone.",
        };
        Option<bool> json = new("--json") { Description = "Write one JSON object per row." };
        ComputeArguments compute = new();
        Command command = new("stress", "Lets many callers ask at once: throughput, waiting, and what is saved by resuming.")
        {
            model, url, key, download, callers, prompt, reply, requests, turn, minutes, noPrefixes, json,
        };
        compute.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(model) is null == result.GetResult(url) is null)
            {
                result.AddError("Whom to ask must be given in one way: --model or --url.");
            }
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            int callerCount = result.GetValue(callers) ?? 64;
            StressSettings settings = new(
                callerCount,
                result.GetValue(prompt) ?? 32,
                result.GetValue(reply) ?? 128,
                result.GetValue(requests) ?? (4 * callerCount),
                result.GetValue(turn) ?? 2000,
                TimeSpan.FromMinutes(result.GetValue(minutes) ?? 0),
                ReusePrefixes: !result.GetValue(noPrefixes));
            if (result.GetValue(url) is { } server)
            {
                ServerBench bench = new(server, result.GetValue(key), settings, terminal);
                StressRow row = await bench.RunAsync(terminal.Interrupts.Token);
                terminal.Status.Clear();
                StressReport.Write(terminal, row, bench, result.GetValue(json));
                return;
            }

            string path = await ModelFiles.FindAsync(result.GetValue(model)!, result.GetValue(download), terminal);
            using KimiLinearModel loaded = ModelFiles.Load(path, compute.Read(result), terminal);
            CallerBench callerBench = new(loaded, KimiTokenizer.Load(path), GenerationConfig.Load(path), settings, terminal);
            IReadOnlyList<StressRow> rows = await callerBench.RunAsync(terminal.Interrupts.Token);
            terminal.Status.Clear();
            if (result.GetValue(json))
            {
                StressReport.WriteJson(terminal, rows);
            }
            else
            {
                StressReport.WriteTable(terminal, loaded.DeviceDescription, rows, callerBench);
            }
        });
        return command;
    }

    private static Uri? Refuse(ArgumentResult result, string error)
    {
        result.AddError(error);
        return null;
    }
}
