using System.Text.Json;
using Kimi.CommandLine;

namespace Kimi.Evaluation.Execution;

/// <summary>Judges programs that a model wrote, by running them in a sandbox.</summary>
/// <param name="sandbox">The sandbox; disposed with this.</param>
/// <param name="python">The Python that runs the programs.</param>
/// <param name="memoryBytes">The most memory of a program, and of it and its children together.</param>
internal sealed class ProgramChecker(
    Sandbox sandbox, PythonInterpreter python, long memoryBytes = ProgramChecker.DefaultMemoryBytes) : IDisposable
{
    // As EvalPlus has it.
    private const long DefaultMemoryBytes = 4L << 30;

    // Behind the supervisor's own limits, for the case that it hangs itself.
    private static readonly TimeSpan LastLimit = TimeSpan.FromMinutes(20);

    private static readonly string Code = string.Concat(
        new[] { "supervisor.py", "extraction.py", "evalplus.py", "livecodebench.py" }.Select(EmbeddedText.Read)) + "\nmain()\n";

    // More at a time would run into their limits of time by waiting for one another.
    private readonly SemaphoreSlim _places = new(Environment.ProcessorCount);

    /// <summary>What holds the programs, for the report.</summary>
    public string Sandbox => sandbox.Name;

    public string PythonVersion => python.Version;

    /// <summary>Runs a check.</summary>
    /// <param name="job">What the supervisor reads: its kind, the reply, and the tests.</param>
    /// <param name="scoreNames">The scores that the check gives, all false when it cannot say.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="CommandException">The sandbox itself did not work.</exception>
    public async Task<Verdict> CheckAsync(
        Dictionary<string, object?> job, IReadOnlyList<string> scoreNames, CancellationToken cancellationToken)
    {
        job["memory"] = memoryBytes;
        job["is_alone"] = sandbox.IsAlone;
        await _places.WaitAsync(cancellationToken);
        string output, error;
        try
        {
            (output, error) = await sandbox.RunAsync(python, Code, JsonSerializer.Serialize(job), LastLimit, cancellationToken);
        }
        finally
        {
            _places.Release();
        }

        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines is not ["ready", ..])
        {
            throw new CommandException($"The sandbox for programs does not work any more: {error}");
        }

        Dictionary<string, bool> scores = scoreNames.ToDictionary(name => name, _ => false);
        if (lines.Length < 2)
        {
            // A fault of the benchmark's own solution or tests would show here as well.
            return error.Contains("Traceback", StringComparison.Ordinal)
                ? throw new CommandException($"A check of programs failed by itself: {error}")
                : new Verdict(Outcome.Fail, null, scores, "The program ended the process that judges it.");
        }

        using JsonDocument json = JsonDocument.Parse(lines[1]);
        JsonElement answer = json.RootElement;
        string outcome = answer.GetProperty("outcome").GetString()!;
        if (answer.TryGetProperty("scores", out JsonElement given))
        {
            scores = scoreNames.ToDictionary(name => name, name => given.GetProperty(name).GetBoolean());
        }
        else
        {
            scores[scoreNames[^1]] = outcome == Outcome.Pass;
        }

        return new Verdict(
            outcome,
            answer.TryGetProperty("extracted", out JsonElement code) ? code.GetString() : null,
            scores,
            answer.GetProperty("detail").GetString());
    }

    public void Dispose()
    {
        _places.Dispose();
        sandbox.Dispose();
    }
}
