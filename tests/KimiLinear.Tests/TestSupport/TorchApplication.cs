using System.Diagnostics;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>An application in a folder of its own, with the parts of TorchSharp and libtorch that a test gives it.</summary>
internal sealed class TorchApplication : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public TorchApplication(bool withTorchSharp = true)
    {
        string[] files = ["TorchProcess.dll", "TorchProcess.runtimeconfig.json", "KimiLinear.dll"];
        foreach (string file in withTorchSharp ? files.Append("TorchSharp.dll") : files)
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, file), Path.Combine(Folder, file));
        }

        Directory.CreateDirectory(NativeFolder);
        Link(NativeFolder, "libLibTorchSharp.so");
        Environment["XDG_CACHE_HOME"] = Path.Combine(Root, "cache");
        Environment["KIMILINEAR_LIBTORCH"] = null;
    }

    /// <summary>Where the build put the native libraries of the packages.</summary>
    public static string BuiltFolder { get; } = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");

    public static string TorchSharpLibrary { get; } = Path.Combine(BuiltFolder, "libLibTorchSharp.so");

    /// <summary>The temporary folder that holds all a test makes.</summary>
    public string Root { get; } = Directory.CreateTempSubdirectory("kimi-torch-").FullName;

    public string Folder => Directory.CreateDirectory(Path.Combine(Root, "application")).FullName;

    public string NativeFolder => Path.Combine(Folder, "runtimes", "linux-x64", "native");

    /// <summary>The library the patched copy is kept as.</summary>
    public string[] KeptCopies => Directory.GetFiles(Path.Combine(Root, "cache", "kimi-linear"));

    /// <summary>What the process sees besides this process's environment; <see langword="null"/> takes a variable away.</summary>
    public Dictionary<string, string?> Environment { get; } = [];

    /// <summary>Lays links to libtorch into a folder.</summary>
    public static void AddLibtorch(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string path in Directory.GetFiles(BuiltFolder).Where(path => path != TorchSharpLibrary))
        {
            Link(folder, Path.GetFileName(path));
        }
    }

    /// <summary>A folder in the temporary one, with a file.</summary>
    public string FolderWith(string fileName, byte[] content)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Root, "other")).FullName;
        File.WriteAllBytes(Path.Combine(folder, fileName), content);
        return folder;
    }

    /// <summary>Runs the application, which must succeed.</summary>
    /// <returns>The lines it writes.</returns>
    public async Task<string[]> RunAsync(params string[] arguments)
    {
        (int exitCode, string output) = await StartAsync(arguments);
        Assert.True(exitCode == 0, $"exit code {exitCode}\n{output}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Runs the application, which must refuse with one message and nothing else.</summary>
    /// <returns>The message.</returns>
    public async Task<string> RefusalAsync(params string[] arguments)
    {
        (int exitCode, string output) = await StartAsync(arguments);
        Assert.True(exitCode == 1, $"exit code {exitCode}\n{output}");
        return Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static void Link(string folder, string fileName) =>
        File.CreateSymbolicLink(Path.Combine(folder, fileName), Path.Combine(BuiltFolder, fileName));

    private async Task<(int ExitCode, string Output)> StartAsync(string[] arguments)
    {
        string host = System.Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        ProcessStartInfo start = new(host, [Path.Combine(Folder, "TorchProcess.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string? value) in Environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource timeout = new(Patience);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"The application did not end within {Patience}.");
        }

        return (process.ExitCode, await output + await errors);
    }
}
