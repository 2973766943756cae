using Spectre.Console;

namespace Kimi.Terminal;

/// <summary>A few columns of text: a table on a terminal, aligned plain text anywhere else.</summary>
internal sealed class TextTable(params string[] headings)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <param name="terminal">Where to write.</param>
    /// <param name="asTable">Whether a terminal gets a table; a very long one is only worth plain text.</param>
    /// <param name="title">What stands above it.</param>
    public void WriteTo(CommandTerminal terminal, bool asTable = true, string? title = null)
    {
        if (terminal.OutputIsTerminal && asTable)
        {
            WriteTable(title);
        }
        else
        {
            WritePlain(terminal.Output, title);
        }
    }

    private void WriteTable(string? title)
    {
        Table table = new()
        {
            Border = TableBorder.Rounded,
            ShowHeaders = headings.Length > 0,
            BorderStyle = new Style(Color.Grey),
        };
        if (title is not null)
        {
            AnsiConsole.Write(new Markup($"[bold]{Markup.Escape(title)}[/]\n"));
        }

        for (int column = 0; column < Columns(); column++)
        {
            string heading = column < headings.Length ? headings[column] : "";
            TableColumn shown = new(new Text(heading, new Style(decoration: Decoration.Bold)));
            table.AddColumn(column == 0 ? shown.NoWrap() : shown);
        }

        foreach (string[] row in _rows)
        {
            table.AddRow(row.Select((cell, column) => new Text(
                ControlCharacters.Show(cell), column == 0 ? new Style(Color.Aqua) : Style.Plain)));
        }

        AnsiConsole.Write(table);
    }

    private void WritePlain(TextWriter output, string? title)
    {
        if (title is not null)
        {
            output.WriteLine(title);
        }

        string indent = title is null ? "" : "  ";
        string[][] rows = headings.Length > 0 ? [headings, .. _rows] : [.. _rows];
        int[] widths = [.. Enumerable.Range(0, Columns()).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            output.WriteLine((indent + string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column])))).TrimEnd());
        }
    }

    private int Columns() => headings.Length > 0 ? headings.Length : _rows.Count == 0 ? 0 : _rows[0].Length;
}
