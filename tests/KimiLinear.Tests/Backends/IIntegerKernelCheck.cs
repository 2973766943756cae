using KimiLinear.Backends;

namespace KimiLinear.Tests.Backends;

/// <summary>Something to check of a kernel for quantised weights, for any width.</summary>
internal interface IIntegerKernelCheck
{
    void Run<TSimd, TVector, TIntegers, TInteger>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct;
}
