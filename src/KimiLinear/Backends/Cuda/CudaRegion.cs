namespace KimiLinear.Backends;

/// <summary>A named piece of device memory; the arena it comes from owns it.</summary>
internal readonly record struct CudaRegion(string Name, nint Address, long ByteCount);
