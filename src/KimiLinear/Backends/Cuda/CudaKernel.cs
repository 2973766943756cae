using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>One entry of a module, ready to be launched. A launch makes no managed objects.</summary>
internal sealed unsafe class CudaKernel(CudaDevice device, string name, nint function)
{
    // What every device grants without being asked.
    private const int GrantedSharedBytes = 48 * 1024;

    // Number of CUfunction_attribute.
    private const int MaxDynamicSharedBytes = 8;

    private int _grantedSharedBytes = GrantedSharedBytes;

    public string Name { get; } = name;

    /// <summary>Queues the kernel. Its only parameter is the structure.</summary>
    public void Launch<TArguments>(CudaStream stream, in LaunchShape shape, in TArguments arguments)
        where TArguments : unmanaged
    {
        shape.Require(Name);
        if (shape.SharedBytes > _grantedSharedBytes)
        {
            AskForSharedBytes(shape.SharedBytes);
        }

        int result;
        fixed (TArguments* pointer = &arguments)
        {
            void* parameter = pointer;
            result = device.Driver.Functions.LaunchKernel(
                function,
                (uint)shape.GridX,
                (uint)shape.GridY,
                (uint)shape.GridZ,
                (uint)shape.ThreadCount,
                1,
                1,
                (uint)shape.SharedBytes,
                stream.Handle,
                &parameter,
                null);
        }

        if (result != 0)
        {
            Throw(result, shape);
        }
    }

    private void AskForSharedBytes(int byteCount)
    {
        if (byteCount > device.MaxSharedBytes)
        {
            throw new NotSupportedException(
                $"{Name} needs {byteCount} bytes of shared memory per block for a model of this size, "
                + $"but {device.Name} has {device.MaxSharedBytes}.");
        }

        int result = device.Driver.Functions.FuncSetAttribute(function, MaxDynamicSharedBytes, byteCount);
        device.Driver.Check(result, $"cuFuncSetAttribute of '{Name}'", byteCount, "shared bytes");
        _grantedSharedBytes = byteCount;
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Throw(int result, LaunchShape shape) => throw new CudaException(
        $"cuLaunchKernel of '{Name}' in {shape.GridX} × {shape.GridY} × {shape.GridZ} blocks of {shape.ThreadCount} threads "
        + $"with {shape.SharedBytes} shared bytes failed: {device.Driver.Describe(result)}.",
        result);
}
