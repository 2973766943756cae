using System.CommandLine;
using Kimi.Benchmarking;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Model;

namespace Kimi.Commands;

/// <summary>Measures how fast a model runs, and how much of the memory's speed it uses.</summary>
internal static class BenchCommand
{
    public static readonly string[] Examples =
    [
        "kimi bench --model MODEL",
        "kimi bench --shape 48b --experts 16 --layers 4 --format q4",
        "kimi bench --shape tiny -p 128 -n 32 -d 0,1024 --json",
    ];

    public static Command Create(CommandTerminal terminal)
    {
        BenchArguments arguments = new();
        Command command = new("bench", "Measures prefill and decoding, in tokens per second and against the speed of memory.");
        arguments.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            BenchSettings settings = arguments.ReadSettings(result);
            BenchSubject subject = BenchSubject.Open(await arguments.ReadTargetAsync(result, terminal), settings, terminal);
            using KimiLinearModel model = subject.Model;
            IReadOnlyList<BenchRow> rows = new ModelBench(model, settings, terminal).Run();
            terminal.Status.Clear();
            if (arguments.WantsJson(result))
            {
                BenchReport.WriteJson(terminal, subject, settings, rows);
            }
            else
            {
                BenchReport.WriteTable(terminal, subject, rows);
            }
        });
        return command;
    }
}
