using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Kimi.CommandLine;

namespace Kimi.Evaluation.Execution;

/// <summary>The Python that runs generated programs.</summary>
/// <param name="Path">The program.</param>
/// <param name="Folders">The folders that hold it with its libraries: two in a virtual environment.</param>
/// <param name="Version">Its version, such as 3.12.1.</param>
internal sealed record PythonInterpreter(string Path, IReadOnlyList<string> Folders, string Version)
{
    private const string Question =
        "import json, sys; print(json.dumps([sys.executable, [sys.base_prefix, sys.prefix], '.'.join(map(str, sys.version_info[:3])), "
        + "sys.version_info >= (3, 9)]))";

    /// <summary>Asks a Python where it lives; links and wrappers lead to the program itself.</summary>
    /// <exception cref="CommandException">There is none, or it is too old.</exception>
    public static async Task<PythonInterpreter> FindAsync(string command, CancellationToken cancellationToken)
    {
        string answer;
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(command, ["-I", "-c", Question])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            answer = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (Win32Exception exception)
        {
            throw new CommandException(
                $"This benchmark's programs are run by Python 3.9 or newer, but '{command}' cannot be started. "
                + "Install it, or name it with --python.",
                exception);
        }

        try
        {
            using JsonDocument json = JsonDocument.Parse(answer);
            PythonInterpreter found = new(
                json.RootElement[0].GetString()!,
                [.. json.RootElement[1].EnumerateArray().Select(folder => folder.GetString()!).Distinct()],
                json.RootElement[2].GetString()!);
            return json.RootElement[3].GetBoolean()
                ? found
                : throw new CommandException($"Programs are run by Python 3.9 or newer, but '{command}' is {found.Version}.");
        }
        catch (JsonException exception)
        {
            throw new CommandException($"'{command}' is no Python: it did not say where it lives.", exception);
        }
    }
}
