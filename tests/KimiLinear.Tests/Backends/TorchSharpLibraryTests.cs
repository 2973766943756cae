using System.Runtime.Versioning;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>The copy for older C++ runtimes works with newer ones as well, so these tests mean the same on any system.</summary>
[SupportedOSPlatform("linux")]
public sealed class TorchSharpLibraryTests
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    [Fact]
    public async Task LoadCopy_NothingKept_KeepsItForTheUserAlone()
    {
        using TorchApplication application = new();

        string[] lines = await CopyAsync(application);

        string kept = Assert.Single(application.KeptCopies);
        Assert.True(int.Parse(lines[0], null) > 0, "libtorch answers with its number of threads");
        Assert.Equal(kept, lines[1]);
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(kept));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(Path.GetDirectoryName(kept)!));
        Assert.Equal(new FileInfo(TorchApplication.TorchSharpLibrary).Length, new FileInfo(kept).Length);
    }

    [Fact]
    public async Task LoadCopy_KeptCopy_UsesIt()
    {
        using TorchApplication application = new();
        await CopyAsync(application);
        string kept = Assert.Single(application.KeptCopies);
        File.SetLastWriteTimeUtc(kept, DateTime.UnixEpoch);

        string[] lines = await CopyAsync(application);

        Assert.Equal(kept, lines[1]);
        Assert.Equal(kept, Assert.Single(application.KeptCopies));
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(kept));
    }

    [Fact]
    public async Task LoadCopy_KeptCopyDamaged_ReplacesIt()
    {
        using TorchApplication application = new();
        await CopyAsync(application);
        string kept = Assert.Single(application.KeptCopies);
        byte[] right = File.ReadAllBytes(kept);
        File.WriteAllBytes(kept, right[..^1]);

        string[] lines = await CopyAsync(application);

        Assert.Equal(kept, lines[1]);
        Assert.Equal(right, File.ReadAllBytes(kept));
    }

    [Fact]
    public async Task LoadCopy_CacheCannotBeWritten_LeavesNothingBehind()
    {
        using TorchApplication application = new();
        string temporary = Directory.CreateDirectory(Path.Combine(application.Root, "temporary")).FullName;
        application.Environment["XDG_CACHE_HOME"] = TorchApplication.TorchSharpLibrary;
        application.Environment["TMPDIR"] = temporary;

        string[] lines = await CopyAsync(application);

        Assert.StartsWith($"{temporary}/kimi-linear-", lines[1]);
        Assert.Empty(Directory.GetDirectories(temporary));
    }

    [Fact]
    public async Task LoadCopy_CacheOthersMayWrite_IsNotUsed()
    {
        using TorchApplication application = new();
        string cache = Directory.CreateDirectory(Path.Combine(application.Root, "cache", "kimi-linear")).FullName;
        File.SetUnixFileMode(cache, OwnerOnly | UnixFileMode.OtherWrite);

        await CopyAsync(application);

        Assert.Empty(application.KeptCopies);
    }

    [Theory]
    [InlineData(0, "It is not a 64-bit little-endian ELF file.")]
    [InlineData(100_000, "It ends at byte 100000, but ")]
    public async Task LoadCopy_LibraryCutOff_SaysSo(int length, string cause)
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);
        string folder = application.FolderWith("cut.so", File.ReadAllBytes(TorchApplication.TorchSharpLibrary)[..length]);

        string message = await application.RefusalAsync("copy", application.NativeFolder, Path.Combine(folder, "cut.so"));

        Assert.StartsWith($"TorchSharp's native library '{folder}/cut.so' cannot be used: {cause}", message);
    }

    [Fact]
    public async Task Load_LibraryMissing_SaysWhereItLooked()
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);
        File.Delete(Path.Combine(application.NativeFolder, "libLibTorchSharp.so"));

        string message = await application.RefusalAsync("load");

        Assert.StartsWith(
            "TorchSharp's native library was not found: no libLibTorchSharp.so in "
            + $"{application.Folder}, {application.NativeFolder}, ",
            message);
    }

    [Fact]
    public async Task Load_LibraryDamaged_SaysWhatTheLoaderSays()
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);
        string library = Path.Combine(application.NativeFolder, "libLibTorchSharp.so");
        File.Delete(library);
        File.WriteAllText(library, "hello");

        string message = await application.RefusalAsync("load");

        Assert.Equal($"TorchSharp's native library '{library}' does not load: {library}: file too short", message);
    }

    private static async Task<string[]> CopyAsync(TorchApplication application)
    {
        if (!Directory.Exists(Path.Combine(application.Root, "libtorch")))
        {
            TorchApplication.AddLibtorch(Path.Combine(application.Root, "libtorch"));
        }

        return await application.RunAsync("copy", Path.Combine(application.Root, "libtorch"), TorchApplication.TorchSharpLibrary);
    }
}
