using System.Reflection;
using System.Reflection.Emit;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Each in a process of its own: libtorch cannot be unloaded, and what is missing decides the outcome.</summary>
public sealed class TorchRuntimeTests
{
    private const string Packages =
        "Add the package TorchSharp-cpu or TorchSharp-cuda-linux, version 0.107.0, to the application";

    public static TheoryData<string> ElsewhereLayouts => ["libtorch", "torch/lib", "site-packages/torch/lib"];

    [Fact]
    public async Task Load_LibtorchOfApplication_Computes()
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);

        string[] lines = await application.RunAsync("load");

        Assert.Equal(["2", Built("libtorch_cpu.so")], lines);
    }

    [Fact]
    public async Task Load_SeveralThreadsAtOnce_LoadsOnce()
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);

        string[] lines = await application.RunAsync("together");

        Assert.Equal(["2"], lines);
    }

    [Theory]
    [MemberData(nameof(ElsewhereLayouts))]
    public async Task Load_LibtorchNamedByOption_Computes(string layout)
    {
        using TorchApplication application = new();
        string named = Elsewhere(application, layout);

        string[] lines = await application.RunAsync("load", named);

        Assert.Equal("2", lines[0]);
    }

    [Theory]
    [MemberData(nameof(ElsewhereLayouts))]
    public async Task Load_LibtorchNamedByVariable_Computes(string layout)
    {
        using TorchApplication application = new();
        application.Environment["KIMILINEAR_LIBTORCH"] = Elsewhere(application, layout);

        string[] lines = await application.RunAsync("load");

        Assert.Equal("2", lines[0]);
    }

    [Fact]
    public async Task Load_OptionAndVariable_TakesTheOption()
    {
        using TorchApplication application = new();
        application.Environment["KIMILINEAR_LIBTORCH"] = "/nowhere";

        string[] lines = await application.RunAsync("load", Elsewhere(application, "libtorch"));

        Assert.Equal("2", lines[0]);
    }

    [Fact]
    public async Task Load_SameFolderTwice_DoesNothing()
    {
        using TorchApplication application = new();
        string named = Elsewhere(application, "torch/lib");

        string[] lines = await application.RunAsync("load", named, Path.Combine(named, "lib"));

        Assert.Equal("2", lines[0]);
    }

    [Fact]
    public async Task Load_AnotherFolderLater_IsRefused()
    {
        using TorchApplication application = new();
        string first = Elsewhere(application, "libtorch");
        string second = application.FolderWith("libtorch_cpu.so", []);

        string message = await application.RefusalAsync("load", first, second);

        Assert.Equal(
            $"libtorch of '{second}' cannot be loaded: this process has loaded '{Built("libtorch_cpu.so")}', and it can hold one "
            + "libtorch only. Name the same folder, or start another process.",
            message);
    }

    [Fact]
    public async Task Load_NoTorchSharp_NamesThePackages()
    {
        using TorchApplication application = new(withTorchSharp: false);

        string message = await application.RefusalAsync("load");

        Assert.Equal($"TorchSharp was not found. {Packages}.", message);
    }

    [Fact]
    public async Task Load_OlderTorchSharp_NamesBothVersions()
    {
        using TorchApplication application = new(withTorchSharp: false);
        string path = Path.Combine(application.Folder, "TorchSharp.dll");
        PersistedAssemblyBuilder older = new(
            new AssemblyName("TorchSharp") { Version = new Version(0, 106, 0, 0) }, typeof(object).Assembly);
        older.DefineDynamicModule("TorchSharp");
        older.Save(path);

        string message = await application.RefusalAsync("load");

        Assert.Equal($"TorchSharp 0.106.0 was found in '{path}', but KimiLinear works with 0.107. {Packages}.", message);
    }

    [Fact]
    public async Task Load_NoLibtorch_SaysWhereItLooked()
    {
        using TorchApplication application = new();

        string message = await application.RefusalAsync("load");

        Assert.StartsWith(
            $"libtorch was not found: no libtorch_cpu.so in {application.Folder}, {application.NativeFolder}, ", message);
        Assert.EndsWith(
            $". {Packages}, or set KIMILINEAR_LIBTORCH to the folder of libtorch 2.10 or 2.11.", message);
    }

    [Fact]
    public async Task Load_NoLibtorchInNamedFolder_DoesNotLookElsewhere()
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);
        string empty = application.FolderWith("libtorch.txt", []);
        application.Environment["KIMILINEAR_LIBTORCH"] = empty;

        string byVariable = await application.RefusalAsync("load");
        string byOption = await application.RefusalAsync("load", "/nowhere");

        Assert.StartsWith(
            $"libtorch was not found in '{empty}', which the environment variable KIMILINEAR_LIBTORCH names: ", byVariable);
        Assert.StartsWith("libtorch was not found in '/nowhere', which the option names: ", byOption);
    }

    [Theory]
    [InlineData(0x0209010000000000, "libtorch 2.9.1")]
    [InlineData(0x020C000000000000, "libtorch 2.12.0")]
    [InlineData(0x030A000000000000, "libtorch 3.10.0")]
    public async Task Load_OtherVersion_NamesBoth(ulong version, string stated)
    {
        using TorchApplication application = new();
        byte[] library = ElfWriter.SharedObject([("aoti_torch_abi_version", ElfWriter.Returning(version))]);
        string folder = application.FolderWith("libtorch_cpu.so", library);

        string message = await application.RefusalAsync("load", folder);

        Assert.Equal($"TorchSharp 0.107.0 works with libtorch 2.10 or 2.11, but '{folder}' holds {stated}.", message);
    }

    [Fact]
    public async Task Load_AcceptedVersionOfAnIncompleteFolder_NamesTheMissingFile()
    {
        using TorchApplication application = new();
        byte[] library = ElfWriter.SharedObject([("aoti_torch_abi_version", ElfWriter.Returning(0x020B000000000000))]);
        string folder = application.FolderWith("libtorch_cpu.so", library);

        string message = await application.RefusalAsync("load", folder);

        Assert.StartsWith($"The libtorch in '{folder}' does not load: {folder}/libtorch.so: ", message);
    }

    [Fact]
    public async Task Load_VersionNotStated_IsRefused()
    {
        using TorchApplication application = new();
        string folder = application.FolderWith("libtorch_cpu.so", ElfWriter.SharedObject([]));

        string message = await application.RefusalAsync("load", folder);

        Assert.EndsWith($"but '{folder}' holds a libtorch that does not state its version.", message);
    }

    [Fact]
    public async Task Load_DamagedLibtorch_SaysWhatTheLoaderSays()
    {
        using TorchApplication application = new();
        string folder = application.FolderWith("libtorch_cpu.so", "hello"u8.ToArray());

        string message = await application.RefusalAsync("load", folder);

        Assert.Equal($"The libtorch in '{folder}' does not load: {folder}/libtorch_cpu.so: file too short", message);
    }

    [Fact]
    public async Task Load_NamedFolderBesideLibtorchOfApplication_IsRefusedBeforeBothAreLoaded()
    {
        using TorchApplication application = new();
        File.WriteAllBytes(Path.Combine(application.Folder, "libtorch_cpu.so"), []);
        string named = Elsewhere(application, "libtorch");

        string message = await application.RefusalAsync("load", named);

        Assert.StartsWith(
            $"libtorch of '{named}' cannot be loaded: TorchSharp would load that of the application too, in "
            + $"'{application.Folder}",
            message);
    }

    [Fact]
    public async Task Load_TorchSharpLibraryWithoutItsFunctions_SaysThatNothingWorks()
    {
        using TorchApplication application = new();
        byte[] library = ElfWriter.SharedObject([("aoti_torch_abi_version", ElfWriter.Returning(0x020A000000000000))]);
        foreach (string name in (string[])["libtorch_cpu.so", "libtorch.so", "libLibTorchSharp.so"])
        {
            File.WriteAllBytes(Path.Combine(application.Folder, name), library);
        }

        string message = await application.RefusalAsync("load");

        Assert.StartsWith(
            $"TorchSharp does not work with the libtorch in '{application.Folder}': Unable to find an entry point named 'THS",
            message);
    }

    private static string Built(string fileName) =>
        new FileInfo(Path.Combine(TorchApplication.BuiltFolder, fileName)).FullName;

    // libtorch in a folder outside the application; the folder that a user would name.
    private static string Elsewhere(TorchApplication application, string layout)
    {
        TorchApplication.AddLibtorch(Path.Combine(application.Root, layout));
        return Path.Combine(application.Root, layout.Split('/')[0]);
    }
}
