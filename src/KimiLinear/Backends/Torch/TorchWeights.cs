using KimiLinear.Tensors;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>Copies stored matrices to a device, some rows at a time, so that the host never holds one of them a second time.</summary>
internal static unsafe class TorchWeights
{
    // Values that wait on the host to be copied.
    private const long StagedValues = 8L << 20;

    /// <summary>One tensor with the rows of all parts, in the type they share; else, or where torch has no such type, float32.</summary>
    public static torch.Tensor Load(ReadOnlySpan<StoredTensor> parts, long rowCount, long columnCount, torch.Device device)
    {
        torch.ScalarType type = TypeOf(parts[0]);
        foreach (StoredTensor part in parts)
        {
            type = TypeOf(part) == type ? type : torch.float32;
        }

        torch.Tensor matrix = TorchOutOfMemory.Explain(
            $"the weights, of which '{parts[0].Name}' is next", () => torch.empty(rowCount, columnCount, type, device));
        try
        {
            long row = 0;
            foreach (StoredTensor part in parts)
            {
                Copy(part, matrix, row, device);
                row += part.Shape[0];
            }

            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    private static void Copy(StoredTensor part, torch.Tensor matrix, long firstRow, torch.Device device)
    {
        long columns = Math.Max(1, part.Shape[1]);
        long rowCount = part.Shape[0];
        int staged = (int)Math.Clamp(StagedValues / columns, 1, Math.Max(1, rowCount));
        torch.ScalarType type = TypeOf(part);
        using torch.Tensor staging = Staging(staged, columns, type, device);
        byte* memory = TorchMemory.Pointer(staging);
        for (long row = 0; row < rowCount; row += staged)
        {
            int count = (int)Math.Min(staged, rowCount - row);
            if (type == torch.float32)
            {
                StoredRows.Read(part, row, count, (float*)memory);
            }
            else
            {
                long bytes = count * columns * sizeof(ushort);
                Buffer.MemoryCopy(part.Data + (row * columns * sizeof(ushort)), memory, bytes, bytes);
            }

            // Waits for the copy: the staging memory is used again at once.
            using DisposeScope scope = torch.NewDisposeScope();
            matrix.narrow(0, firstRow + row, count).copy_(staging.narrow(0, 0, count));
        }
    }

    private static torch.ScalarType TypeOf(StoredTensor part) => part.DataType switch
    {
        DataType.BFloat16 => torch.bfloat16,
        DataType.Float16 => torch.float16,
        _ => torch.float32,
    };

    // Pinned for a GPU, which then fetches it by itself.
    private static torch.Tensor Staging(long rows, long columns, torch.ScalarType type, torch.Device device)
    {
        torch.Tensor pageable = torch.empty(rows, columns, type);
        if (device.type != DeviceType.CUDA)
        {
            return pageable;
        }

        using (pageable)
        {
            return pageable.pin_memory();
        }
    }
}
