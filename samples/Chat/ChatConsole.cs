using System.Text;
using Spectre.Console;

namespace ChatSample;

/// <summary>
/// Where things go: on a terminal everything stands in one transcript; when the output is redirected, only replies go to it
/// and the notes around them go to the error stream.
/// </summary>
internal sealed class ChatConsole
{
    private static readonly Style Dim = new(decoration: Decoration.Dim);

    private readonly bool _replyOnTerminal = !Console.IsOutputRedirected;
    private readonly TextWriter _noteWriter;
    private bool _atLineStart = true;

    public ChatConsole()
    {
        Console.OutputEncoding = Console.InputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        _noteWriter = _replyOnTerminal ? Console.Out : Console.Error;
        NotesOnTerminal = _replyOnTerminal || !Console.IsErrorRedirected;
        bool plain = !NotesOnTerminal || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        Notes = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = plain ? AnsiSupport.No : AnsiSupport.Detect,
            Out = new AnsiConsoleOutput(_noteWriter),
        });
    }

    /// <summary>Gets whether a person types the turns.</summary>
    public bool IsInteractive { get; } = !Console.IsInputRedirected;

    /// <summary>Gets whether somebody watches the notes.</summary>
    public bool NotesOnTerminal { get; }

    /// <summary>Gets the console for everything but replies.</summary>
    public IAnsiConsole Notes { get; }

    /// <summary>Writes a piece of a reply as it is, without waiting for the end of a line.</summary>
    public void WriteReply(string text)
    {
        if (text.Length > 0)
        {
            Console.Out.Write(_replyOnTerminal ? Printable(text) : text);
            _atLineStart = text[^1] == '\n';
        }
    }

    /// <summary>Ends the line of the reply, if one has begun.</summary>
    public void EndReplyLine()
    {
        if (!_atLineStart)
        {
            Console.Out.WriteLine();
            _atLineStart = true;
        }
    }

    /// <summary>Writes a dimmed line beside the replies.</summary>
    public void WriteNote(string text)
    {
        EndReplyLine();
        if (NotesOnTerminal)
        {
            Notes.WriteLine(Printable(text), Dim);
        }
        else
        {
            _noteWriter.WriteLine(text);
        }
    }

    /// <summary>Writes dimmed rows of a name and what it means.</summary>
    public void WriteNotes(IEnumerable<(string Name, string Meaning)> rows)
    {
        Grid grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn();
        foreach ((string name, string meaning) in rows)
        {
            grid.AddRow(new Text(name, Dim), new Text(meaning, Dim));
        }

        Notes.Write(grid);
    }

    /// <summary>Writes what went wrong as one line to the error stream.</summary>
    public void WriteError(string message)
    {
        EndReplyLine();
        Console.Error.WriteLine($"error: {Printable(message.ReplaceLineEndings(" "))}");
    }

    /// <summary>Reads the next turn; <see langword="null"/> at the end of the input.</summary>
    public string? ReadTurn()
    {
        if (!IsInteractive)
        {
            return Console.In.ReadLine();
        }

        Notes.Write("> ", new Style(Color.Blue, decoration: Decoration.Bold));
        string? turn = Console.In.ReadLine();
        if (turn is null)
        {
            // Ctrl+D leaves the cursor behind the prompt.
            Notes.WriteLine();
        }

        return turn;
    }

    // A reply or a result may hold escape sequences; on a terminal they must not take effect.
    private static string Printable(string text) =>
        string.Create(text.Length, text, static (destination, source) =>
        {
            for (int i = 0; i < source.Length; i++)
            {
                destination[i] = char.IsControl(source[i]) && source[i] is not ('\n' or '\t') ? '\uFFFD' : source[i];
            }
        });
}
