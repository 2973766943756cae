using System.Diagnostics;

namespace Kimi.Terminal;

/// <summary>
/// One line on standard error that is written over and over, for a person who watches; silent when nobody does.
/// </summary>
internal sealed class StatusLine
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly bool _isEnabled = !Console.IsErrorRedirected;
    private long _lastShown;
    private int _shownLength;

    /// <summary>Shows a text in place of the one before, unless that is too recent to be read.</summary>
    public void Show(string text)
    {
        if (!_isEnabled || (_shownLength > 0 && Stopwatch.GetElapsedTime(_lastShown) < Interval))
        {
            return;
        }

        string visible = text.Length < Width() ? text : text[..Width()];
        Console.Error.Write($"\r{visible.PadRight(_shownLength)}");
        _shownLength = visible.Length;
        _lastShown = Stopwatch.GetTimestamp();
    }

    /// <summary>Removes the line, so that others can write.</summary>
    public void Clear()
    {
        if (_shownLength > 0)
        {
            Console.Error.Write($"\r{new string(' ', _shownLength)}\r");
            _shownLength = 0;
        }
    }

    // The last column stays free: writing there makes some terminals begin a new line.
    private static int Width() => Math.Max(Console.WindowWidth - 1, 10);
}
