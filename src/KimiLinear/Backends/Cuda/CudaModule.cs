using System.Text;

namespace KimiLinear.Backends;

/// <summary>One compiled kernel file on the device.</summary>
/// <remarks>The driver turns its PTX into instructions of the device, and keeps those for the next time.</remarks>
internal sealed unsafe class CudaModule : IDisposable
{
    // Numbers of CUjit_option.
    private const int ErrorLogBuffer = 5;
    private const int ErrorLogBytes = 6;

    private const int LogLength = 8192;

    private readonly CudaDevice _device;
    private readonly string _name;
    private nint _handle;

    /// <param name="device">Where it shall run; the form compiled for it is taken.</param>
    /// <param name="name">The name of the source without its ending.</param>
    /// <exception cref="CudaException">The driver does not take the PTX; the message holds what it says.</exception>
    public CudaModule(CudaDevice device, string name)
    {
        _device = device;
        _name = name;
        byte[] log = new byte[LogLength];
        nint handle;
        int result;
        fixed (byte* text = ReadPtx(name, device.Architecture))
        fixed (byte* buffer = log)
        {
            int* options = stackalloc int[] { ErrorLogBuffer, ErrorLogBytes };
            void** values = stackalloc void*[] { buffer, (void*)LogLength };
            result = device.Driver.Functions.ModuleLoadDataEx(&handle, text, 2, options, values);
        }

        if (result != 0)
        {
            string said = Encoding.UTF8.GetString(log).TrimEnd('\0').Trim();
            throw new CudaException(
                $"{device.Name} does not take the kernels '{name}' ({device.Architecture}): "
                + $"{device.Driver.Describe(result)}. {said}".TrimEnd(),
                result);
        }

        _handle = handle;
    }

    /// <summary>The PTX of a kernel file as the library holds it, a zero behind it.</summary>
    public static byte[] ReadPtx(string name, string architecture)
    {
        string resource = $"KimiLinear.Kernels.{name}.{architecture}.ptx";
        using Stream stream = typeof(CudaModule).Assembly.GetManifestResourceStream(resource)
            ?? throw new ArgumentException($"The library holds no kernels '{name}' for {architecture}.", nameof(name));
        byte[] text = new byte[stream.Length + 1];
        stream.ReadExactly(text.AsSpan(0, (int)stream.Length));
        return text;
    }

    /// <summary>Finds a kernel; it lives as long as the module.</summary>
    public CudaKernel Find(string entry)
    {
        ObjectDisposedException.ThrowIf(_handle == 0, this);
        nint function;
        int result;
        fixed (byte* name = Encoding.UTF8.GetBytes(entry + '\0'))
        {
            result = _device.Driver.Functions.ModuleGetFunction(&function, _handle, name);
        }

        _device.Driver.Check(result, $"cuModuleGetFunction of '{entry}' in '{_name}'");
        return new CudaKernel(_device, entry, function);
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            nint handle = _handle;
            _handle = 0;
            _device.Driver.Check(_device.Driver.Functions.ModuleUnload(handle), "cuModuleUnload");
        }
    }
}
