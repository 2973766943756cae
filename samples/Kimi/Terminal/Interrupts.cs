using System.Runtime.InteropServices;

namespace Kimi.Terminal;

/// <summary>
/// Turns Ctrl+C, and a request to terminate, into cancellation: of the command, or of what a command offers instead.
/// </summary>
/// <remarks>
/// The command may end its step and tidy up; if that takes too long, or at the second signal, the process ends.
/// </remarks>
internal sealed class Interrupts : IDisposable
{
    public const string Message = "kimi: interrupted.";

    // Exit codes of a process ended by a signal begin here.
    private const int SignalExitCode = 128;

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _command = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _exitCode = SignalExitCode + 2;

    public Interrupts()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, SignalExitCode + 2)),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, SignalExitCode + 15)),
        ];
    }

    /// <summary>Cancelled when the command is to end.</summary>
    public CancellationToken Token => _command.Token;

    public int ExitCode => _exitCode;

    /// <summary>Called at Ctrl+C in place of ending the command; <see langword="null"/> to end it.</summary>
    public Action? OnInterrupt { get; set; }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _command.Dispose();
    }

    private void OnSignal(PosixSignalContext context, int exitCode)
    {
        if (context.Signal == PosixSignal.SIGINT && OnInterrupt is { } handler)
        {
            context.Cancel = true;
            handler();
        }
        else if (!_command.IsCancellationRequested)
        {
            context.Cancel = true;
            _exitCode = exitCode;
            _ = EndLaterAsync();
            _ = _command.CancelAsync();
        }
    }

    private async Task EndLaterAsync()
    {
        await Task.Delay(Grace);
        try
        {
            await Console.Error.WriteLineAsync(Message);
        }
        finally
        {
            // Also when standard error cannot be written.
            Environment.Exit(_exitCode);
        }
    }
}
