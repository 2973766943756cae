namespace Kimi.Benchmarking;

/// <summary>What callers ask for.</summary>
/// <param name="CallerCount">How many ask at the same time.</param>
/// <param name="PromptTokens">The length of a prompt.</param>
/// <param name="ReplyTokens">The length of a reply.</param>
/// <param name="RequestCount">How many requests there are in all.</param>
/// <param name="TurnTokens">The length of the conversation whose second turn is timed; 0 for none.</param>
/// <param name="Duration">How long to go on instead, half of all requests cancelled; zero to count requests.</param>
/// <param name="ReusePrefixes">Whether beginnings of prompts are resumed.</param>
internal sealed record StressSettings(
    int CallerCount,
    int PromptTokens,
    int ReplyTokens,
    int RequestCount,
    int TurnTokens,
    TimeSpan Duration,
    bool ReusePrefixes);
