using System.Diagnostics;
using System.Text;
using Xunit;

namespace Kimi.Tests;

/// <summary>Runs the built tool the way a shell does.</summary>
internal static class KimiProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Runs it to its end, with standard input from a text.</summary>
    public static Task<KimiResult> RunAsync(string[] arguments, string input = "") => RunAsync(Start(arguments), input);

    /// <summary>Lets a tool that has been started run to its end.</summary>
    public static async Task<KimiResult> RunAsync(Process started, string input = "")
    {
        using Process process = started;
        using CancellationTokenSource timeout = new(Limit);
        Task<string> output = process.StandardOutput.ReadToEndAsync(timeout.Token);
        Task<string> error = process.StandardError.ReadToEndAsync(timeout.Token);
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), timeout.Token);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of its input, as an error makes it.
        }

        await process.WaitForExitAsync(timeout.Token);
        return new KimiResult(process.ExitCode, await output, await error);
    }

    /// <summary>Runs it and expects it to succeed in silence.</summary>
    public static async Task<string[]> LinesAsync(string[] arguments, string input = "")
    {
        KimiResult result = await RunAsync(arguments, input);

        Assert.Equal("", result.Error);
        Assert.Equal(0, result.ExitCode);
        return result.Output.Split('\n')[..^1];
    }

    public static Process Start(params string[] arguments) => Process.Start(StartInfo(arguments))!;

    /// <summary>Starts it where no file can grow beyond a size, which stands for a full disk.</summary>
    /// <param name="blocks">The most that a file may hold, in blocks of 512 bytes.</param>
    /// <param name="arguments">The command line.</param>
    public static Process StartWithFileLimit(int blocks, params string[] arguments)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The limit is set by a shell of Linux.");
        ProcessStartInfo start = StartInfo(arguments);
        string command = string.Join(' ', start.ArgumentList.Prepend(start.FileName).Select(argument => $"'{argument}'"));
        start.FileName = "/bin/sh";
        start.ArgumentList.Clear();
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"trap '' XFSZ; ulimit -f {blocks}; exec {command}");
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        return Process.Start(start)!;
    }

    /// <summary>How it is started; the environment may still be changed.</summary>
    public static ProcessStartInfo StartInfo(params string[] arguments) => new(
        Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
        [Path.Combine(AppContext.BaseDirectory, "kimi.dll"), .. arguments])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        StandardInputEncoding = Utf8,
        StandardOutputEncoding = Utf8,
        StandardErrorEncoding = Utf8,
        Environment = { ["DOTNET_STARTUP_HOOKS"] = typeof(KimiProcess).Assembly.Location },
    };
}

/// <summary>What a run left.</summary>
internal sealed record KimiResult(int ExitCode, string Output, string Error);
