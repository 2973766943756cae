using System.CommandLine;
using KimiServer.CommandLine;

try
{
    ParseResult result = ServeCommand.AsRoot().Parse(args.Length == 0 ? ["--help"] : args);
    if (result.Errors.Count > 0 && result.Action is not { ClearsParseErrors: true })
    {
        throw new ArgumentException(result.Errors[0].Message);
    }

    return await result.InvokeAsync(
        new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (Exception exception) when (exception is not OutOfMemoryException)
{
    await Console.Error.WriteLineAsync($"kimi-server: {exception.Message}");
    return 1;
}
