namespace KimiServer.Tests;

/// <summary>Bodies of requests that several tests send.</summary>
internal static class Asked
{
    public const string Chat = "/v1/chat/completions";

    public const string Completion = "/v1/completions";

    /// <summary>What the small model answers to <see cref="WhoAreYou"/>, drawing nothing at random.</summary>
    public const string Introduction = "I am a tiny Kimi Linear model, trained to show how the library works.";

    public const string WhoAreYou = "Who are you?";

    private const int FirstSpecialToken = 1280;

    public static object Introducing(bool stream = false) =>
        new { messages = User(WhoAreYou), temperature = 0, stream };

    /// <summary>A text that goes on for as long as nobody stops it: the tokens that would end it are forbidden.</summary>
    public static object Endless(int maxTokens = 1_000_000) => new
    {
        prompt = "Once upon a time",
        max_tokens = maxTokens,
        stream = true,
        logit_bias = Enumerable.Range(FirstSpecialToken, 20).ToDictionary(id => $"{id}", _ => -1000f),
    };

    public static object[] User(string text) => [new { role = "user", content = text }];
}
