using System.CommandLine;
using System.CommandLine.Parsing;
using Kimi.Terminal;
using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>Runs one command: whatever goes wrong becomes one line on standard error and an exit code.</summary>
internal static class ErrorBoundary
{
    private const int Failure = 1;

    // The number of the system's error "broken pipe", the same on Linux and macOS.
    private const int BrokenPipe = 32;

    public static async Task<int> RunAsync(string[] args)
    {
        LeaveClosedStreamsAlone();
        using Interrupts interrupts = new();
        try
        {
            CommandTerminal terminal = new(interrupts);
            try
            {
                return await InvokeAsync(KimiCommand.Create(terminal), args, terminal);
            }
            finally
            {
                terminal.Status.Clear();
                terminal.EndLine();
                await terminal.Output.FlushAsync(CancellationToken.None);
            }
        }
        catch (OperationCanceledException) when (interrupts.Token.IsCancellationRequested)
        {
            await SayAsync(Interrupts.Message);
            return interrupts.ExitCode;
        }
        catch (IOException exception) when (exception.HResult == BrokenPipe && !OperatingSystem.IsWindows())
        {
            // Whoever reads our output has seen enough.
            return 0;
        }
        catch (Exception exception)
        {
            await SayAsync($"kimi: {OneLine(exception)}");
            return Failure;
        }
    }

    private static void LeaveClosedStreamsAlone()
    {
        if (ClosedStreams.Contains(ClosedStreams.Output))
        {
            Console.SetOut(TextWriter.Null);
        }

        if (ClosedStreams.Contains(ClosedStreams.Error))
        {
            Console.SetError(TextWriter.Null);
        }
    }

    private static async Task SayAsync(string line)
    {
        try
        {
            await Console.Error.WriteLineAsync(line);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            // Standard error is closed, its disk is full, or takes no file as large; the exit code still tells.
        }
    }

    private static async Task<int> InvokeAsync(RootCommand command, string[] args, CommandTerminal terminal)
    {
        // A prompt may begin with '@' or '-1'; neither names a file of arguments nor a bundle of options.
        ParserConfiguration parsing = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        ParseResult result = command.Parse(args.Length == 0 ? ["--help"] : args, parsing);
        if (result.Errors.Count > 0 && result.Action is not { ClearsParseErrors: true })
        {
            throw new CommandException($"{ParseProblem.First(result)} See '{PathOf(result.CommandResult)} --help'.");
        }

        if (EmptyName(result) is { } name)
        {
            throw new CommandException($"{name} must not be empty. See '{PathOf(result.CommandResult)} --help'.");
        }

        InvocationConfiguration invocation = new()
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
            Output = terminal.Output,
        };
        return await result.InvokeAsync(invocation, terminal.Interrupts.Token);
    }

    // A name of a file, a folder, a model or anything else that a script's variable left empty; texts may be.
    private static string? EmptyName(ParseResult result)
    {
        SymbolResult? empty = result.CommandResult.Children.FirstOrDefault(
            child => NameOf(child) is not null && child.Tokens.Any(token => token.Value.Length == 0));
        return empty is null ? null : NameOf(empty);

        static string? NameOf(SymbolResult child) => child switch
        {
            ArgumentResult { Argument.Name: [>= 'A' and <= 'Z', ..] name } => name,
            OptionResult { Option: { HelpName: "DIR" or "FILE" or "PATH" or "MODEL" or "NAME" or "PLAN.json" or "OBS.json" } option } => option.Name,
            _ => null,
        };
    }

    // A command of a command is called by both names.
    private static string PathOf(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{PathOf(parent)} {command.Command.Name}" : "kimi";

    private static string OneLine(Exception exception)
    {
        string message = exception switch
        {
            InsufficientMemoryException => exception.Message,
            OutOfMemoryException => "There is not enough memory.",
            ArgumentException argument => WithoutParameter(argument.Message),
            CommandException or IOException or UnauthorizedAccessException or NotSupportedException => exception.Message,
            ModelFormatException or InvalidOperationException or DeviceUnavailableException => exception.Message,
            _ => $"{exception.GetType().Name}: {exception.Message}",
        };
        return string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    // The framework appends the parameter's name and its value, which mean nothing on a command line.
    public static string WithoutParameter(string message) =>
        message.IndexOf(" (Parameter '", StringComparison.Ordinal) is int end and > 0 ? message[..end] : message;
}
