using System.CommandLine;
using System.CommandLine.Help;
using Kimi.Commands;
using Kimi.Terminal;

namespace Kimi.CommandLine;

/// <summary>The tool as a tree of commands.</summary>
internal static class KimiCommand
{
    public static RootCommand Create(CommandTerminal terminal)
    {
        Dictionary<Command, string[]> examples = [];
        RootCommand root = new(
            "Inspects, tests and runs Kimi-Linear models. MODEL is a model folder as published, or a GGUF file.");
        Add(InspectCommand.Create(terminal), InspectCommand.Examples);
        Add(TokenizeCommand.Create(terminal), TokenizeCommand.Examples);
        Add(RenderCommand.Create(terminal), RenderCommand.Examples);
        Add(LogitsCommand.Create(terminal), LogitsCommand.Examples);
        Add(GenerateCommand.Create(terminal), GenerateCommand.Examples);
        Add(ChatCommand.Create(terminal), ChatCommand.Examples);
        Add(PackCommand.Create(terminal), PackCommand.Examples);
        Add(BenchCommand.Create(terminal), BenchCommand.Examples);
        examples.Add(root, ["kimi inspect MODEL", "kimi chat --model MODEL", "kimi generate --help"]);

        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!, examples);
        return root;

        void Add(Command command, string[] lines)
        {
            root.Add(command);
            examples.Add(command, lines);
        }
    }
}
