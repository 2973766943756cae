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
            Console.WriteLine(MappedLibrary.Find("libtorch_cpu.so"));
            return 0;

        case ["together"]:
            Parallel.For(0, 4, _ => TorchRuntime.Load(null));
            Console.WriteLine(TorchProbe.Add());
            return 0;

        // The copy that an old C++ runtime needs, on any system.
        case ["copy", string libtorchFolder, string library]:
            LibtorchLibrary.Load(libtorchFolder);
            nint copy = TorchSharpLibrary.LoadCopy(library);
            unsafe
            {
                Console.WriteLine(((delegate* unmanaged<int>)NativeLibrary.GetExport(copy, "THSTorch_get_num_threads"))());
            }

            Console.WriteLine(MappedFile("/LibTorchSharp-"));
            return 0;

        case ["cuda", string index]:
            TorchRuntime.RequireCuda(int.Parse(index, null));
            return 0;

        default:
            Console.WriteLine($"Unknown arguments: {string.Join(' ', args)}");
            return 2;
    }
}
catch (DeviceUnavailableException error)
{
    Console.WriteLine(error.Message);
    return 1;
}

// A file deleted since it was loaded is told with a remark behind its path.
static string MappedFile(string part)
{
    string line = File.ReadLines("/proc/self/maps").First(line => line.Contains(part, StringComparison.Ordinal));
    return line[line.IndexOf('/')..];
}
