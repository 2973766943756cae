using Microsoft.Extensions.AI;

namespace ChatSample;

/// <summary>Reads turns and commands line by line until the input ends.</summary>
internal sealed class ChatLoop(ChatSession session, ChatConsole console)
{
    private const string Commands =
        """
        /reset         forgets the conversation
        /system TEXT   starts over with TEXT as the system prompt; without TEXT shows the present one
        /tools         lists the tools the model may call
        /help          shows this text
        /exit          ends, as Ctrl+D does
        Ctrl+C         stops a reply; at the prompt it ends the program
        """;

    private readonly ReplyPrinter _printer = new(console);

    /// <exception cref="FormatException">The input comes from a pipe and holds an unknown command.</exception>
    public async Task RunAsync()
    {
        ReplyInterrupt? interrupt = console.IsInteractive ? new ReplyInterrupt() : null;
        while (console.ReadTurn() is { } line)
        {
            string turn = line.Trim();
            if (turn is "/exit")
            {
                return;
            }

            if (turn.StartsWith('/'))
            {
                Execute(turn);
            }
            else if (turn.Length > 0)
            {
                await AnswerAsync(turn, interrupt);
            }
        }

        if (console.IsInteractive)
        {
            console.WriteNote("");
        }
    }

    private async Task AnswerAsync(string turn, ReplyInterrupt? interrupt)
    {
        if (interrupt is null)
        {
            await _printer.PrintAsync(session.SendAsync(turn));
        }
        else if (!await interrupt.RunAsync(cancellation => _printer.PrintAsync(session.SendAsync(turn, cancellation))))
        {
            console.WriteNote("(stopped; this turn is forgotten)");
        }
    }

    private void Execute(string command)
    {
        string[] parts = command.Split(' ', 2, StringSplitOptions.TrimEntries);
        switch (parts)
        {
            case ["/help"]:
                console.WriteNote(Commands);
                break;
            case ["/reset"]:
                session.Reset();
                console.WriteNote("The conversation is forgotten.");
                break;
            case ["/system"]:
                console.WriteNote(session.SystemPrompt ?? "There is no system prompt.");
                break;
            case ["/system", string text]:
                session.Reset(text);
                console.WriteNote("The conversation starts over with this system prompt.");
                break;
            case ["/tools"]:
                console.WriteNote(Describe(session.Tools));
                break;
            default:
                Fail(new FormatException($"There is no command {parts[0]}. /help lists them."));
                break;
        }
    }

    private static string Describe(IEnumerable<AITool> tools)
    {
        string[] lines = [.. tools.Select(tool => $"{tool.Name}: {tool.Description}")];
        return lines.Length == 0 ? "There are no tools." : string.Join('\n', lines);
    }
}
