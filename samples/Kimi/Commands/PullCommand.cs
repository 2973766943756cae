using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Checkpoints;

namespace Kimi.Commands;

/// <summary>Downloads a model by its name.</summary>
internal static class PullCommand
{
    public static readonly string[] Examples =
    [
        "kimi pull cerebras/Kimi-Linear-REAP-35B-A3B-Instruct      the same again goes on after Ctrl+C",
        "kimi pull org/name --revision v1.0",
        "kimi pull org/name:file.gguf",
        "kimi pull org/name --verify --offline      checks what is there",
    ];

    private const string ModelNameForm = "org/name, org/name@revision or org/name:file.gguf";

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> name = new("NAME")
        {
            Description = $"The model's name on the hub: {ModelNameForm}.",
        };
        Option<string?> revision = new("--revision")
        {
            Description = "The branch, tag or commit [default: main].",
            HelpName = "REV",
        };
        Option<bool> offline = new("--offline") { Description = "Leave the network alone; only look into the cache." };
        Option<bool> verify = new("--verify")
        {
            Description = "Read files that are there through as well; damaged ones are fetched again, or named if offline.",
        };
        Command command = new("pull", "Downloads a model into the cache of the hub's programs, and writes where it is.")
        {
            name, revision, offline, verify,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            string model = WithRevision(result.GetRequiredValue(name), result.GetValue(revision));
            ModelHub hub = new(new ModelHubOptions { Offline = result.GetValue(offline) });
            bool onlyCheck = result.GetValue(verify) && result.GetValue(offline);
            terminal.Output.WriteLine(await PullAsync(
                progress => onlyCheck
                    ? hub.VerifyAsync(model, progress, terminal.Interrupts.Token)
                    : hub.PullAsync(model, result.GetValue(verify), progress, terminal.Interrupts.Token)));
        });
        return command;
    }

    private static async Task<string> PullAsync(Func<IProgress<ModelDownloadProgress>?, Task<string>> pull)
    {
        try
        {
            return await DownloadProgressBar.RunAsync(pull);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("kimi: stopped; the same command goes on from there.");
            throw;
        }
    }

    private static string WithRevision(string name, string? revision)
    {
        if (revision is null)
        {
            return name;
        }

        if (name.Contains('@', StringComparison.Ordinal))
        {
            throw new CommandException($"The revision is given twice: in '{name}' and by --revision.");
        }

        // The name of a GGUF file stands behind it.
        int end = name.IndexOf(':', StringComparison.Ordinal);
        return end < 0 ? $"{name}@{revision}" : name.Insert(end, $"@{revision}");
    }
}
