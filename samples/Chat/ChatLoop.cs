namespace ChatSample;

/// <summary>Reads turns and commands line by line until the input ends.</summary>
internal sealed class ChatLoop(ChatSession session, ChatConsole console)
{
    private static readonly (string Name, string Meaning)[] Commands =
    [
        ("/reset", "forgets the conversation"),
        ("/system TEXT", "starts over with TEXT as the system prompt; without TEXT shows the present one"),
        ("/tools", "lists the tools the model may call"),
        ("/help", "shows this list"),
        ("/exit", "ends, as Ctrl+D does"),
        ("Ctrl+C", "stops a reply; at the prompt it ends the program"),
    ];

    private readonly ReplyPrinter _printer = new(console);
    private readonly ReplyInterrupt _interrupt = new(console.IsInteractive);

    /// <summary>Runs until <c>/exit</c> or the end of the input.</summary>
    /// <remarks>A person may try again after an error; for a pipe it is the end, so that scripts notice.</remarks>
    public async Task RunAsync()
    {
        if (console.IsInteractive)
        {
            console.WriteNote("/help lists the commands, /exit ends.");
        }

        while (console.ReadTurn()?.Trim() is { } turn and not "/exit")
        {
            try
            {
                await TakeAsync(turn);
            }
            catch (Exception exception) when (console.IsInteractive && ChatErrors.IsExpected(exception))
            {
                console.WriteError(exception.Message);
            }
        }
    }

    private async Task TakeAsync(string turn)
    {
        if (turn.StartsWith('/'))
        {
            Execute(turn);
        }
        else if (turn.Length > 0 && !await _interrupt.RunAsync(token => _printer.PrintAsync(session.SendAsync(turn, token))))
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
                console.WriteNotes(Commands);
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
            case ["/tools"] when session.Tools.Count == 0:
                console.WriteNote("There are no tools.");
                break;
            case ["/tools"]:
                console.WriteNotes(session.Tools.Select(tool => (tool.Name, tool.Description)));
                break;
            default:
                throw new FormatException($"There is no command {parts[0]}. /help lists them.");
        }
    }
}
