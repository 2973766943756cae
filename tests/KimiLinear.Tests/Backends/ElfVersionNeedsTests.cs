using System.Runtime.InteropServices;
using System.Text;
using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class ElfVersionNeedsTests
{
    private const string Library = "libc.so.6";
    private const string Version = "GLIBC_9.9";

    // No C library has that version, so the loader refuses the file as it stands, on any system.
    private static readonly byte[] Needy = ElfWriter.SharedObject([("answer", ElfWriter.Returning(42))], (Library, Version));

    [Fact]
    public void All_OneNeed_ReadsIt() => Assert.Equal([(Library, Version, false)], new ElfVersionNeeds(Needy).All);

    [Fact]
    public void All_NoNeeds_IsEmpty() => Assert.Empty(new ElfVersionNeeds(ElfWriter.SharedObject([])).All);

    [Fact]
    public void All_LibraryOfTorchSharp_ReadsEveryNeed()
    {
        ElfVersionNeeds needs = new(File.ReadAllBytes(TorchApplication.TorchSharpLibrary));

        Assert.Equal(28, needs.All.Count());
        Assert.Contains(("libstdc++.so.6", "GLIBCXX_3.4.32", false), needs.All);
        Assert.Contains(("ld-linux-x86-64.so.2", "GLIBC_2.3", false), needs.All);
    }

    [Fact]
    public void WithWeak_OneVersion_ChangesOneBit()
    {
        byte[] file = File.ReadAllBytes(TorchApplication.TorchSharpLibrary);

        byte[] weak = new ElfVersionNeeds(file).WithWeak("libstdc++.so.6", "GLIBCXX_3.4.32");

        int index = Assert.Single(Enumerable.Range(0, file.Length), i => file[i] != weak[i]);
        Assert.Equal(2, file[index] ^ weak[index]);
        (string Library, string Version, bool IsWeak) only = Assert.Single(new ElfVersionNeeds(weak).All, need => need.IsWeak);
        Assert.Equal(("libstdc++.so.6", "GLIBCXX_3.4.32", true), only);
    }

    [Fact]
    public void WithWeak_VersionTheSystemLacks_LoadsAndRuns()
    {
        byte[] weak = new ElfVersionNeeds(Needy).WithWeak(Library, Version);

        Assert.Contains(Version, Assert.Throws<DllNotFoundException>(() => Call(Needy)).Message);
        Assert.Equal(42UL, Call(weak));
    }

    [Theory]
    [InlineData(Library, "GLIBC_9.8")]
    [InlineData("libm.so.6", Version)]
    public void WithWeak_NoSuchNeed_Throws(string library, string version)
    {
        ElfVersionNeeds needs = new(Needy);

        InvalidDataException error = Assert.Throws<InvalidDataException>(() => needs.WithWeak(library, version));

        Assert.Equal($"It does not need {version} of {library}.", error.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("This is a text, and longer than the header of a file would be, to see that its beginning is looked at.")]
    [InlineData("MZ")]
    public void Constructor_OtherFile_Throws(string text)
    {
        byte[] file = Encoding.ASCII.GetBytes(text);

        InvalidDataException error = Assert.Throws<InvalidDataException>(() => new ElfVersionNeeds(file));

        Assert.Equal("It is not a 64-bit little-endian ELF file.", error.Message);
    }

    [Fact]
    public void Constructor_Executable_Throws()
    {
        byte[] file = [.. Needy];
        file[16] = 2;

        Assert.Contains("not a shared object", Assert.Throws<InvalidDataException>(() => new ElfVersionNeeds(file)).Message);
    }

    [Fact]
    public void Constructor_EveryCut_ThrowsInvalidData()
    {
        // The last bytes are padding behind the dynamic section.
        for (int length = 0; length < 4096 + (16 * 9); length++)
        {
            Assert.Throws<InvalidDataException>(() => new ElfVersionNeeds(Needy[..length]));
        }
    }

    [Fact]
    public void Constructor_AnyByteChanged_EndsWithoutAnotherError()
    {
        int refused = 0;
        for (int i = 0; i < Needy.Length; i++)
        {
            foreach (byte value in (byte[])[0x00, 0x7f, 0xff])
            {
                byte[] file = [.. Needy];
                file[i] = value;
                try
                {
                    _ = new ElfVersionNeeds(file).All.Count();
                }
                catch (InvalidDataException)
                {
                    refused++;
                }
            }
        }

        Assert.InRange(refused, 50, Needy.Length);
    }

    private static unsafe ulong Call(byte[] file)
    {
        string path = Path.Combine(Path.GetTempPath(), $"kimi-elf-{Guid.NewGuid():N}.so");
        File.WriteAllBytes(path, file);
        try
        {
            nint library = NativeLibrary.Load(path);
            ulong answer = ((delegate* unmanaged<ulong>)NativeLibrary.GetExport(library, "answer"))();
            NativeLibrary.Free(library);
            return answer;
        }
        finally
        {
            File.Delete(path);
        }
    }
}
