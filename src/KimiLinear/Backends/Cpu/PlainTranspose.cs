namespace KimiLinear.Backends;

/// <summary><see cref="ISimd{TVector}.TransposeBFloat16"/> in plain loops, where no instructions are made for it.</summary>
internal static unsafe class PlainTranspose
{
    public static void Run(
        int width, ushort* source, long sourceStride, float* destination, long laneStride, long groupStride)
    {
        for (int row = 0; row < width; row++)
        {
            for (int column = 0; column < 2 * width; column++)
            {
                float* target = destination + (column % width * laneStride) + (column / width * groupStride);
                target[row] = BitConverter.UInt32BitsToSingle((uint)source[(row * sourceStride) + column] << 16);
            }
        }
    }
}
