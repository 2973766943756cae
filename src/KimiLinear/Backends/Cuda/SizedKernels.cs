namespace KimiLinear.Backends;

/// <summary>Forms of one kernel for rows up to different lengths; the name of each ends in its length.</summary>
internal sealed class SizedKernels(CudaModule module, string name, int[] maxLengths)
{
    private readonly CudaKernel[] _kernels = [.. maxLengths.Select(length => module.Find($"{name}_{length}"))]; // ascending

    /// <summary>The smallest form that takes rows of this length.</summary>
    /// <exception cref="NotSupportedException">None does.</exception>
    public CudaKernel For(int length, string what)
    {
        for (int i = 0; i < maxLengths.Length; i++)
        {
            if (length <= maxLengths[i])
            {
                return _kernels[i];
            }
        }

        throw new NotSupportedException(
            $"{what} has {length} values, but the CUDA kernels take at most {maxLengths[^1]}. Run this model on the CPU.");
    }
}
