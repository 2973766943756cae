using KimiLinear.Backends;

namespace KimiLinear.Tests.TestSupport;

/// <summary>A row of quantised activations with given codes, which ends where the process may read no further.</summary>
internal sealed unsafe class ActivationRow : IDisposable
{
    private readonly GuardedMemory _memory;

    /// <summary>Draws a row: codes from −<paramref name="maxCode"/> on, scales and offsets of either sign.</summary>
    public ActivationRow(Random random, QuantizedForm form, int blockCount, Extreme extreme, int maxCode)
    {
        int columns = blockCount * QuantizedRows.BlockColumns;
        _memory = new GuardedMemory((2L * columns) + (2L * blockCount * sizeof(float)));
        for (int i = 0; i < columns; i++)
        {
            Put(form, columns, i, random.Next(extreme, -maxCode, maxCode));
        }

        if (form == QuantizedForm.Bytes)
        {
            PutSums(blockCount);
        }

        float* statistics = (float*)(_memory.Data + (2L * columns));
        for (int i = 0; i < 2 * blockCount; i++)
        {
            statistics[i] = random.NextSingle() - 0.5f;
        }
    }

    public byte* Data => _memory.Data;

    public void Dispose() => _memory.Dispose();

    private void PutSums(int blockCount)
    {
        const int Columns = QuantizedRows.BlockColumns;
        float* sums = (float*)(Data + (blockCount * Columns));
        for (int block = 0; block < blockCount; block++)
        {
            int sum = 0;
            for (int i = 0; i < Columns; i++)
            {
                sum += ((sbyte*)Data)[(block * Columns) + i];
            }

            sums[block] = -sum;
            ((int*)sums)[blockCount + block] = -128 * sum;
        }
    }

    private void Put(QuantizedForm form, int columns, int i, int code)
    {
        switch (form)
        {
            case QuantizedForm.Bytes:
                Data[i] = (byte)(sbyte)code;
                break;
            case QuantizedForm.BytePairs:
                int high = (code + 128) >> 8;
                Data[i] = (byte)(sbyte)high;
                Data[columns + i] = (byte)(sbyte)(code - (high << 8));
                break;
            default:
                ((short*)Data)[i] = (short)code;
                break;
        }
    }
}
