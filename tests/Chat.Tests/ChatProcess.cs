using System.Diagnostics;

namespace ChatSample.Tests;

/// <summary>Runs the built sample as its users do: as a program of its own.</summary>
internal static class ChatProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Gets the folder of the small model, as the build lays it beside the program.</summary>
    public static string SmallModel { get; } = Path.Combine(AppContext.BaseDirectory, "models", "kimi-linear-tiny");

    public static async Task<ChatRun> RunAsync(string input, params string[] args)
    {
        ProcessStartInfo start = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Chat.dll"));
        foreach (string arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        using Process process = Process.Start(start)!;
        using CancellationTokenSource limit = new(Limit);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
            await WriteInputAsync(process, input);
            await process.WaitForExitAsync(limit.Token);
            return new ChatRun(process.ExitCode, Lines(await output), Lines(await error));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    // A program that ends without reading closes the pipe.
    private static async Task WriteInputAsync(Process process, string input)
    {
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
        }
    }

    private static string[] Lines(string text) =>
        text.Length == 0 ? [] : text.TrimEnd('\r', '\n').ReplaceLineEndings("\n").Split('\n');
}
