using System.CommandLine;
using System.CommandLine.Help;
using Kimi.Commands;
using Kimi.Terminal;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The tool as a tree of commands.</summary>
internal static class KimiCommand
{
    public static RootCommand Create(CommandTerminal terminal)
    {
        Dictionary<Command, string[]> examples = [];
        RootCommand root = new(
            "Inspects, tests and runs Kimi-Linear models. MODEL is a model folder as published, a GGUF file, "
            + "or the name of a model that 'kimi pull' has downloaded.");
        Add(InspectCommand.Create(terminal), InspectCommand.Examples);
        Add(TokenizeCommand.Create(terminal), TokenizeCommand.Examples);
        Add(RenderCommand.Create(terminal), RenderCommand.Examples);
        Add(LogitsCommand.Create(terminal), LogitsCommand.Examples);
        Add(GenerateCommand.Create(terminal), GenerateCommand.Examples);
        Add(ChatCommand.Create(terminal), ChatCommand.Examples);
        Add(PullCommand.Create(terminal), PullCommand.Examples);
        Add(PackCommand.Create(terminal), PackCommand.Examples);
        Add(ObserveCommand.Create(terminal), ObserveCommand.Examples);
        Command plan = Add(PlanCommand.Create(terminal), PlanCommand.Examples);
        AddTo(plan, PlanCompareCommand.Create(terminal), PlanCompareCommand.Examples);
        AddTo(plan, PlanDrawCommand.Create(terminal), PlanDrawCommand.Examples);
        AddTo(plan, PlanRecoverCommand.Create(terminal), PlanRecoverCommand.Examples);
        Add(PruneCommand.Create(terminal), PruneCommand.Examples);
        Add(MergeCommand.Create(terminal), MergeCommand.Examples);
        Add(BenchCommand.Create(terminal), BenchCommand.Examples);
        Add(StressCommand.Create(terminal), StressCommand.Examples);
        Add(EvalCommand.Create(terminal, examples), EvalCommand.Examples);
        Add(ServeCommand.Create(), ServeCommand.Examples);
        examples.Add(root, ["kimi inspect MODEL", "kimi chat --model MODEL", "kimi generate --help"]);

        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!, examples);
        return root;

        Command Add(Command command, string[] lines) => AddTo(root, command, lines);

        Command AddTo(Command parent, Command command, string[] lines)
        {
            parent.Add(command);
            examples.Add(command, lines);
            return command;
        }
    }
}
