using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Kimi.Terminal;

/// <summary>What a command reads from and writes to: UTF-8 without a byte order mark, whatever the system's encoding.</summary>
internal sealed class CommandTerminal
{
    private const int BufferBytes = 1 << 16;

    // Standard output's file descriptor.
    private const int OutputDescriptor = 1;

    private bool _isWithinLine;

    public CommandTerminal(Interrupts interrupts)
    {
        Interrupts = interrupts;
        Output = new StreamWriter(OpenOutput(), new UTF8Encoding(false), BufferBytes) { NewLine = "\n" };
    }

    /// <summary>Results, and nothing but results. Flushed when the command ends, and before it waits for input.</summary>
    public StreamWriter Output { get; }

    /// <summary>Progress, for a person who watches.</summary>
    public StatusLine Status { get; } = new();

    public Interrupts Interrupts { get; }

    public bool OutputIsTerminal { get; } = !Console.IsOutputRedirected;

    public bool InputIsTerminal { get; } = !Console.IsInputRedirected;

    /// <summary>Starts reading standard input line by line.</summary>
    /// <exception cref="IOException">It is closed.</exception>
    public LineReader ReadLines()
    {
        ClosedStreams.RequireInput();
        return new LineReader(Console.OpenStandardInput(), Output, Interrupts.Token);
    }

    /// <summary>Reads all of standard input.</summary>
    /// <exception cref="IOException">It is closed.</exception>
    public async Task<byte[]> ReadAllAsync()
    {
        ClosedStreams.RequireInput();
        using MemoryStream content = new();
        await Console.OpenStandardInput().CopyToAsync(content).WaitAsync(Interrupts.Token);
        return content.ToArray();
    }

    /// <summary>Writes a piece of text that a model wrote, at once.</summary>
    public void Stream(string text)
    {
        // On a terminal, a control character could move the cursor or change the colours.
        Output.Write(OutputIsTerminal ? ControlCharacters.Show(text) : text);
        Output.Flush();
        _isWithinLine = text.Length == 0 ? _isWithinLine : text[^1] != '\n';
    }

    /// <summary>Begins a new line on a terminal, if streamed text has left one unfinished.</summary>
    public void EndLine()
    {
        if (OutputIsTerminal && _isWithinLine)
        {
            Stream("\n");
        }
    }

    // The framework's stream drops what is written to a closed pipe, so that a command would go on for nobody.
    // A file handle of our own tells; it is only right for pipes, since it would not move a shared file's position.
    private static Stream OpenOutput()
    {
        if (ClosedStreams.Contains(ClosedStreams.Output))
        {
            return ClosedStreams.RefusingOutput();
        }

        if (!OperatingSystem.IsWindows() && Console.IsOutputRedirected)
        {
            FileStream stream = new(new SafeFileHandle(OutputDescriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            if (!stream.CanSeek)
            {
                return stream;
            }
        }

        return Console.OpenStandardOutput();
    }
}
