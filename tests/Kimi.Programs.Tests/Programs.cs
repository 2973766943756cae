using Kimi.CommandLine;
using Kimi.Evaluation.Execution;

namespace Kimi.Tests.Evaluation;

/// <summary>What runs programs on this machine.</summary>
internal static class Programs
{
    private static readonly Lazy<Task<PythonInterpreter>> Python =
        new(() => PythonInterpreter.FindAsync("python3", CancellationToken.None));

    private static readonly Lazy<Task<Func<Sandbox>?>> BestSandbox = new(FindAsync);

    /// <summary>The Python of this machine.</summary>
    public static Task<PythonInterpreter> PythonAsync() => Python.Value;

    /// <summary>The best sandbox there is here; <see langword="null"/> where the tool would refuse to run programs.</summary>
    public static async Task<Sandbox?> SandboxAsync() => (await BestSandbox.Value)?.Invoke();

    /// <summary>A checker for the tests' own programs, which are harmless: in a sandbox where there is one.</summary>
    public static async Task<ProgramChecker> CheckerAsync() => new(await SandboxAsync() ?? new NoSandbox(), await PythonAsync());

    private static async Task<Func<Sandbox>?> FindAsync()
    {
        try
        {
            using Sandbox found = await SandboxFinder.FindAsync(
                await PythonAsync(), [new BubblewrapSandbox(), new NamespaceSandbox()], CancellationToken.None);
            return found is BubblewrapSandbox ? () => new BubblewrapSandbox() : () => new NamespaceSandbox();
        }
        catch (CommandException exception) when (exception.Message.Contains("no sandbox", StringComparison.Ordinal))
        {
            return null;
        }
    }
}
