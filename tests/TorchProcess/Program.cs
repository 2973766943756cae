// Loads libtorch in a process of its own and says what came of it.
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using KimiLinear.Backends;

[assembly: SupportedOSPlatform("linux")]

try
{
    switch (args)
    {
        case ["load", .. string[] folders]:
            TorchRuntime.Load(folders.FirstOrDefault());
            Array.ForEach(folders, TorchRuntime.Load);
            Console.WriteLine(TorchProbe.Add());
            break;

        // The copy that an old C++ runtime needs, on any system.
        case ["copy", string libtorchFolder, string library]:
            LibtorchLibrary.Load(libtorchFolder);
            nint copy = TorchSharpLibrary.LoadCopy(library);
            unsafe
            {
                Console.WriteLine(((delegate* unmanaged<int>)NativeLibrary.GetExport(copy, "THSTorch_get_num_threads"))());
            }

            break;

        case ["plain", string libtorchFolder, string library]:
            LibtorchLibrary.Load(libtorchFolder);
            Console.WriteLine(NativeLibrary.TryLoad(library, out _));
            break;

        case ["cuda", string index]:
            TorchRuntime.RequireCuda(int.Parse(index, null));
            break;

        default:
            Console.WriteLine($"Unknown arguments: {string.Join(' ', args)}");
            return 2;
    }

    foreach (string name in (string[])["libtorch_cpu.so", "libLibTorchSharp.so"])
    {
        Console.WriteLine(MappedLibrary.Find(name));
    }

    Console.WriteLine(File.ReadLines("/proc/self/maps").FirstOrDefault(line => line.Contains("/LibTorchSharp-", StringComparison.Ordinal)));
    return 0;
}
catch (DeviceUnavailableException error)
{
    Console.WriteLine(error.Message);
    return 1;
}
