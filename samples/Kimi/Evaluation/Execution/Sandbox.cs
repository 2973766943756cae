using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Kimi.Evaluation.Execution;

/// <summary>A place in which a program can do no harm: no network, no files but Python's, nobody else's processes.</summary>
internal abstract class Sandbox : IDisposable
{
    private const int KeptErrorLength = 2000;

    /// <summary>What it is, for the report.</summary>
    public abstract string Name { get; }

    /// <summary>Whether nothing but the program and its supervisor can be seen in it.</summary>
    public virtual bool IsAlone => true;

    /// <summary>The command that runs Python in it, to which Python's arguments are added.</summary>
    protected abstract IReadOnlyList<string> Command(PythonInterpreter python);

    public virtual void Dispose()
    {
    }

    /// <summary>Runs code in it, to its end or to a limit.</summary>
    /// <param name="python">The Python that runs it.</param>
    /// <param name="code">The code.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<(string Output, string Error)> RunAsync(
        PythonInterpreter python, string code, string input, TimeSpan limit, CancellationToken cancellationToken)
    {
        string[] command = [.. Command(python), "-I", "-c", code];
        ProcessStartInfo start = new(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = Path.GetTempPath(),
        };

        // Nothing of the user's: a key in a variable would be read as easily as a file.
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
        start.Environment["HOME"] = "/tmp";
        start.Environment["LANG"] = "C.UTF-8";

        using Process process = new() { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception exception)
        {
            return ("", exception.Message);
        }

        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        over.CancelAfter(limit);
        using CancellationTokenRegistration killing = over.Token.Register(() => Kill(process));
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading; what it wrote says why.
        }

        await process.WaitForExitAsync(CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        string problems = (await error).Trim();
        return (await output, problems.Length > KeptErrorLength ? problems[^KeptErrorLength..] : problems);
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }
}
