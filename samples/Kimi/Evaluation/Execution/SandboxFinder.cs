using System.Net;
using System.Net.Sockets;
using Kimi.CommandLine;

namespace Kimi.Evaluation.Execution;

/// <summary>Finds a sandbox that works here, by trying to break out of it.</summary>
internal static class SandboxFinder
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    // Tries what must fail: to reach a port that is open on this machine, to read and to write files outside.
    private const string Probe = """
        import json, os, socket, sys
        port, path = json.load(sys.stdin)
        found = []
        try:
            socket.create_connection(("127.0.0.1", port), 2)
            found.append("the network")
        except OSError:
            pass
        try:
            open(path)
            found.append("the user's files")
        except OSError:
            pass
        try:
            open("/proc/sys/kernel/core_pattern", "r+")
            found.append("the system's settings")
        except OSError:
            pass
        try:
            open(os.path.join(sys.base_prefix, "kimi-probe"), "w")
            os.unlink(os.path.join(sys.base_prefix, "kimi-probe"))
            found.append("Python's own files")
        except OSError:
            pass
        if os.getpid() != 1:
            found.append("other processes")
        print("open: " + ", ".join(found) if found else "closed")
        """;

    /// <summary>Tries sandboxes in turn.</summary>
    /// <param name="python">The Python that is to run in it.</param>
    /// <param name="candidates">The sandboxes.</param>
    /// <param name="cancellationToken">Stops trying.</param>
    /// <returns>The first that holds; the others are disposed.</returns>
    /// <exception cref="CommandException">None holds; the message says why.</exception>
    public static async Task<Sandbox> FindAsync(
        PythonInterpreter python, IReadOnlyList<Sandbox> candidates, CancellationToken cancellationToken)
    {
        Sandbox? found = null;
        List<string> faults = [];
        foreach (Sandbox candidate in candidates)
        {
            if (found is null && await FaultOfAsync(candidate, python, cancellationToken) is { } fault)
            {
                faults.Add($"{candidate.Name}: {fault}");
                candidate.Dispose();
            }
            else if (found is null)
            {
                found = candidate;
            }
            else
            {
                candidate.Dispose();
            }
        }

        return found ?? throw new CommandException(
            "This benchmark runs programs that the model writes, and no sandbox for them works here "
            + $"({string.Join("; ", faults)}). Install bubblewrap, or allow user namespaces; "
            + "or insist with --unsafe-execution, in a machine that may be lost.");
    }

    private static async Task<string?> FaultOfAsync(
        Sandbox sandbox, PythonInterpreter python, CancellationToken cancellationToken)
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        string path = Path.GetTempFileName();
        try
        {
            int port = ((IPEndPoint)listener.LocalEndpoint).Port;
            (string output, string error) = await sandbox.RunAsync(
                python, Probe, $"[{port}, \"{path}\"]", Limit, cancellationToken);
            return output.Trim() switch
            {
                "closed" => null,
                "" => error.Length > 0 ? error : "it does not run Python",
                string other => other,
            };
        }
        finally
        {
            File.Delete(path);
        }
    }
}
