using System.Text;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Generation;
using Spectre.Console;

namespace Kimi.Conversation;

/// <summary>Reads questions and commands, and shows replies as they come.</summary>
internal sealed class ChatLoop(CommandTerminal terminal, ChatSession session)
{
    private const string Commands = "/reset forgets the conversation, /system TEXT sets the system message, /exit leaves.";

    private readonly bool _isInteractive = terminal.InputIsTerminal && terminal.OutputIsTerminal;

    /// <summary>Answers one question; Ctrl+C ends the program.</summary>
    public async Task AnswerOnceAsync(string question) => await ShowReplyAsync(question, terminal.Interrupts.Token);

    /// <summary>Answers until the input ends; Ctrl+C stops a reply, not the program.</summary>
    public async Task RunAsync(string modelName)
    {
        if (_isInteractive)
        {
            AnsiConsole.MarkupLineInterpolated($"[bold]{modelName}[/] [grey]{Commands} Ctrl+C stops a reply.[/]");
            terminal.Interrupts.OnInterrupt = () => AnsiConsole.Markup("\n[grey]Type /exit to leave.[/]\n[bold aqua]>[/] ");
        }

        LineReader lines = terminal.ReadLines();
        while (await ReadQuestionAsync(lines) is { } line)
        {
            string question = line.Trim();
            if (question is "/exit" or "/quit")
            {
                return;
            }

            if (question.StartsWith('/'))
            {
                Execute(question);
            }
            else if (question.Length > 0)
            {
                await ReplyAsync(question);
            }
        }

        if (_isInteractive)
        {
            terminal.Stream("\n");
        }
    }

    private async Task<string?> ReadQuestionAsync(LineReader lines)
    {
        if (_isInteractive)
        {
            AnsiConsole.Markup("[bold aqua]>[/] ");
            return Console.ReadLine();
        }

        return await lines.ReadAsync() ? Encoding.UTF8.GetString(lines.Line.Span) : null;
    }

    private void Execute(string line)
    {
        string[] words = line.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        switch (words[0])
        {
            case "/reset":
                session.Reset();
                Say("The conversation is forgotten.");
                break;
            case "/system":
                session.System = words.Length > 1 ? words[1] : null;
                session.Reset();
                Say(words.Length > 1
                    ? "The system message is set, and a new conversation begins."
                    : "The system message is removed, and a new conversation begins.");
                break;
            default:
                Say($"There is no command {words[0]}. {Commands}");
                break;
        }
    }

    private async Task ReplyAsync(string question)
    {
        if (!_isInteractive)
        {
            await ShowReplyAsync(question, terminal.Interrupts.Token);
            return;
        }

        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(terminal.Interrupts.Token);
        Action? atPrompt = terminal.Interrupts.OnInterrupt;
        terminal.Interrupts.OnInterrupt = stop.Cancel;
        try
        {
            await ShowReplyAsync(question, stop.Token);
        }
        catch (OperationCanceledException) when (!terminal.Interrupts.Token.IsCancellationRequested)
        {
            terminal.Status.Clear();
            terminal.EndLine();
            Say("Stopped.");
        }
        catch (CommandException exception)
        {
            Say(exception.Message);
        }
        finally
        {
            terminal.Interrupts.OnInterrupt = atPrompt;
        }
    }

    private async Task ShowReplyAsync(string question, CancellationToken cancellationToken)
    {
        GenerationTimings? timings = null;
        terminal.Status.Show("Reading …");
        await foreach (GeneratedToken token in session.SayAsync(question, cancellationToken))
        {
            terminal.Status.Clear();
            terminal.Stream(token.Text);
            timings = token.Timings;
        }

        terminal.Stream("\n");
        if (timings is not null && !Console.IsErrorRedirected)
        {
            Say($"{timings.GeneratedTokenCount} tokens, {timings.DecodeTokensPerSecond:0.#} tokens/s, "
                + $"first after {timings.TimeToFirstToken.TotalSeconds:0.00} s");
        }
    }

    // Remarks are no replies, so they go where nobody takes them for one.
    private static void Say(string remark)
    {
        if (!Console.IsErrorRedirected)
        {
            IAnsiConsole error = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
            error.MarkupLineInterpolated($"[grey]{remark}[/]");
        }
    }
}
