namespace KimiServer.Requests;

/// <summary>Whether an answer comes in pieces, and whether the last of them counts the tokens.</summary>
internal readonly record struct StreamChoice(bool IsWanted, bool IncludesUsage)
{
    public static StreamChoice Read(RequestFields fields) => new(
        fields.Flag("stream") ?? false,
        fields.Object("stream_options")?.Flag("include_usage") ?? false);
}
