namespace KimiLinear.Backends;

/// <summary>The one line of an error's message that says the cause.</summary>
internal static class LoaderMessage
{
    /// <summary>The cause alone, in one line.</summary>
    /// <remarks>The runtime puts advice before the words of the system's loader, libtorch a trace behind its own.</remarks>
    public static string Of(Exception error)
    {
        string[] lines = error.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines is [] ? error.GetType().Name : error is DllNotFoundException ? lines[^1] : lines[0];
    }
}
