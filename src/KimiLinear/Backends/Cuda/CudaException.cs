namespace KimiLinear.Backends;

/// <summary>A call of the CUDA driver failed; the message says which, with which sizes, and what the driver says.</summary>
internal sealed class CudaException(string message, int errorCode) : Exception(message)
{
    /// <summary>The driver's code for memory that is not there.</summary>
    public const int OutOfMemory = 2;

    /// <summary>The driver's number of the error (CUresult).</summary>
    public int ErrorCode { get; } = errorCode;
}
