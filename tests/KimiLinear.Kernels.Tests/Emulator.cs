using System.Reflection;
using System.Runtime.InteropServices;
using KimiLinear.Tests.Backends.Cuda;

namespace KimiLinear.Kernels.Tests;

/// <summary>The kernels as compiled for this processor, run thread by thread in a chosen order.</summary>
internal static unsafe class Emulator
{
    private static readonly Lock OneAtATime = new();

    private static readonly nint Library =
        NativeLibrary.Load("libkernels.so", Assembly.GetExecutingAssembly(), DllImportSearchPath.AssemblyDirectory);

    private static readonly delegate* unmanaged<nint, void*, int*, int, int, int, int, int> Emulate =
        (delegate* unmanaged<nint, void*, int*, int, int, int, int, int>)NativeLibrary.GetExport(Library, "emulate");

    /// <summary>The entries that the library has besides the kernels.</summary>
    public static nint Find(string name) => NativeLibrary.GetExport(Library, name);

    /// <summary>Runs a launch; returns null, or what went wrong.</summary>
    /// <param name="launch">The kernel, its shape and its arguments.</param>
    /// <param name="order">0 ascending, 1 descending, 2 scattered, each warp as far ahead as it can; 3 scattered, in step.</param>
    public static string? Run(FakeLaunch launch, int order) => Run(launch, order, out _);

    /// <summary>The same, and how many rows of matrices were loaded from banks that others of the same matrix lie in.</summary>
    public static string? Run(FakeLaunch launch, int order, out long bankConflicts)
    {
        int* grid = stackalloc int[] { launch.Shape.GridX, launch.Shape.GridY, launch.Shape.GridZ };
        int maxThreads = *(int*)Find($"{launch.Entry}_max_threads");
        int result;
        lock (OneAtATime)
        {
            fixed (byte* arguments = launch.Arguments)
            {
                result = Emulate(
                    Find(launch.Entry), arguments, grid, launch.Shape.ThreadCount, maxThreads, launch.Shape.SharedBytes, order);
            }

            bankConflicts = *(long*)Find("bank_conflicts");
        }

        return result switch
        {
            0 => null,
            1 => $"{launch.Entry}: threads wait for others that never come.",
            2 => $"{launch.Entry}: wrote behind its {launch.Shape.SharedBytes} bytes of shared memory.",
            4 => $"{launch.Entry}: a copy or a matrix begins at no multiple of 16 bytes, or not where it must.",
            5 => $"{launch.Entry}: copies that nobody waited for, or more than the emulation keeps.",
            _ => $"{launch.Entry}: more threads or shared memory than there are: {launch.Shape}.",
        };
    }
}
