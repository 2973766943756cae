namespace KimiLinear.Backends;

/// <summary>What the system's loader says about a library it refuses.</summary>
internal static class LoaderMessage
{
    /// <summary>The cause alone, in one line: the runtime puts advice before it.</summary>
    public static string Of(Exception error) =>
        error.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [.., string last]
            ? last
            : error.GetType().Name;
}
