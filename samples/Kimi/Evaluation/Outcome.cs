namespace Kimi.Evaluation;

/// <summary>What became of a reply, by the names that files give it.</summary>
internal static class Outcome
{
    public const string Pass = "pass";
    public const string Fail = "fail";

    /// <summary>Wrong as far as strings, numbers and tuples tell; symbolic algebra might find it equal.</summary>
    public const string FailUnlessSymbolic = "fail-unless-symbolic";

    /// <summary>Nothing in the reply could be taken for an answer.</summary>
    public const string NoAnswer = "no-answer";

    /// <summary>The program ran too long.</summary>
    public const string Timeout = "timeout";

    /// <summary>The program wanted too much memory, or too many processes.</summary>
    public const string Memory = "memory";

    /// <summary>The prompt did not fit the model's context; there is no reply.</summary>
    public const string Oversize = "oversize";
}
