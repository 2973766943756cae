using KimiLinear.Backends;

namespace KimiLinear.Tests.Backends;

/// <summary>Something to check of a kernel, for any width.</summary>
internal interface IKernelCheck
{
    void Run<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
