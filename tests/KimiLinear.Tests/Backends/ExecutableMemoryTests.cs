using System.Globalization;
using System.Runtime.InteropServices;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Instructions in memory that can be run, on the systems that have machine code of ours.</summary>
public sealed unsafe class ExecutableMemoryTests
{
    private static bool HasPlace => OperatingSystem.IsLinux() || OperatingSystem.IsWindows();

    [Fact]
    public void TryPlace_Function_CanBeCalled()
    {
        // mov eax, 42; ret
        byte* code = ExecutableMemory.TryPlace([0xB8, 42, 0, 0, 0, 0xC3]);

        Assert.Equal(HasPlace, code != null);

        // Other processors have other instructions.
        if (HasPlace && RuntimeInformation.ProcessArchitecture == Architecture.X64)
        {
            Assert.Equal(42, ((delegate* unmanaged<int>)code)());
        }
    }

    [Fact]
    public void TryPlace_MoreThanAPage_IsAllThere()
    {
        byte[] bytes = new byte[3 * Environment.SystemPageSize];
        new Random(1).NextBytes(bytes);

        byte* code = ExecutableMemory.TryPlace(bytes);

        Assert.Equal(HasPlace, code != null);
        Assert.True(!HasPlace || new ReadOnlySpan<byte>(code, bytes.Length).SequenceEqual(bytes));
    }

    /// <summary>Memory that can be written and run is what some systems refuse, and attackers look for.</summary>
    [Fact]
    public void TryPlace_AnyCode_LeavesItReadOnly()
    {
        byte* code = ExecutableMemory.TryPlace([0xC3]);

        Assert.Equal(HasPlace, code != null);

        // Only Linux has such a file.
        const string Maps = "/proc/self/maps";
        if (File.Exists(Maps))
        {
            Assert.Equal("r-xp", PermissionsOf((ulong)code, File.ReadLines(Maps)));
        }
    }

    [Fact]
    public void TryPlace_Nothing_IsRefused() => Assert.True(ExecutableMemory.TryPlace([]) == null);

    // Lines begin with "start-end permissions", in hexadecimal.
    private static string PermissionsOf(ulong address, IEnumerable<string> maps)
    {
        foreach (string[] parts in maps.Select(line => line.Split(' ')))
        {
            ulong[] ends = [.. parts[0].Split('-').Select(Hexadecimal)];
            if (ends[0] <= address && address < ends[1])
            {
                return parts[1];
            }
        }

        return "";
    }

    private static ulong Hexadecimal(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
