using System.CommandLine;
using System.Globalization;
using KimiServer.CommandLine;

// A variable of the environment can bring the system's culture back; what is written is read by other programs.
CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
try
{
    ParseResult result = ServeCommand.AsRoot().Parse(args.Length == 0 ? ["--help"] : args);
    if (result.Errors.Count > 0 && result.Action is not { ClearsParseErrors: true })
    {
        throw new ArgumentException(ParseProblem.First(result));
    }

    return await result.InvokeAsync(
        new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (Exception exception) when (exception is not OutOfMemoryException)
{
    await Console.Error.WriteLineAsync($"kimi-server: {exception.Message}");
    return 1;
}
