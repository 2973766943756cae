namespace ChatSample.Tests;

/// <summary>What a run of the sample left behind.</summary>
internal sealed record ChatRun(int ExitCode, string[] Output, string[] Errors);
