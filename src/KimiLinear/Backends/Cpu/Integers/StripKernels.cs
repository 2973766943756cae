using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of quantised activations with matrices in GGUF's block formats, read where they lie.</summary>
internal abstract unsafe class StripKernels
{
    /// <inheritdoc cref="IntegerKernels.MultiplyRows"/>
    public abstract void Multiply(
        FormedRows input, DataType type, byte* rows, int rowCount, ScratchBuffer scratch, MatMulOutput output);
}

/// <inheritdoc/>
internal sealed unsafe class StripKernels<TSimd, TVector, TIntegers, TInteger>(VnniKernels? vnni = null) : StripKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    public override void Multiply(
        FormedRows input, DataType type, byte* rows, int rowCount, ScratchBuffer scratch, MatMulOutput output)
    {
        switch (type)
        {
            case DataType.GgufQ40:
                StripProduct<StripQ40, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ41:
                StripProduct<StripQ41, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ50:
                StripProduct<StripQ50, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ51:
                StripProduct<StripQ51, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ80:
                StripProduct<StripQ80, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ4K:
                StripProduct<StripQ4K, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ5K:
                StripProduct<StripQ5K, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            case DataType.GgufQ6K:
                StripProduct<StripQ6K, TSimd, TVector, TIntegers, TInteger>
                    .Multiply(input, rows, rowCount, scratch, output, vnni);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "This data type is no GGUF block format.");
        }
    }
}
