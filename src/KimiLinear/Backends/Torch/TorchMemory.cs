using System.Runtime.InteropServices;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>Copies between the caller's memory and tensors; TorchSharp itself only takes managed arrays, and below 2 GiB.</summary>
internal static unsafe class TorchMemory
{
    // TorchSharp's own function, which its managed surface hides: the address of a tensor's first value.
    private static readonly delegate* unmanaged<IntPtr, IntPtr> Data = (delegate* unmanaged<IntPtr, IntPtr>)
        NativeLibrary.GetExport(NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null), "THSTensor_data");

    /// <summary>The first value of a contiguous tensor in host memory.</summary>
    public static byte* Pointer(torch.Tensor tensor)
    {
        byte* data = (byte*)Data(tensor.Handle);
        GC.KeepAlive(tensor);
        return data;
    }

    /// <summary>Copies the first values of a tensor on any device.</summary>
    public static void Read<T>(torch.Tensor source, Span<T> destination)
        where T : unmanaged
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor host = source.cpu().contiguous();
        new ReadOnlySpan<T>(Pointer(host), destination.Length).CopyTo(destination);
    }

    /// <summary>Overwrites a tensor on any device; there are as many values as it has.</summary>
    public static void Write<T>(ReadOnlySpan<T> source, torch.Tensor destination)
        where T : unmanaged
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor host = torch.empty(destination.shape, destination.dtype);
        source.CopyTo(new Span<T>(Pointer(host), source.Length));
        destination.copy_(host);
    }
}
