using KimiLinear.Checkpoints;

namespace KimiLinear.Tests.Pruning;

/// <summary>Changes safetensors files so that they are wrong.</summary>
internal static class SafetensorsEdit
{
    /// <summary>Takes tensors out of a file.</summary>
    public static unsafe void Remove(string path, Predicate<string> isRemoved)
    {
        List<(SafetensorsEntry Entry, byte[] Bytes)> kept = [];
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            foreach (SafetensorsEntry entry in file.Entries.Where(entry => !isRemoved(entry.Name)))
            {
                kept.Add((entry, new ReadOnlySpan<byte>(file.DataOf(entry), (int)(entry.End - entry.Begin)).ToArray()));
            }
        }

        using SafetensorsWriter writer = new(path);
        kept.ForEach(tensor => writer.Declare(tensor.Entry.Name, tensor.Entry.Type.DataType!.Value, tensor.Entry.Shape.Lengths));
        kept.ForEach(tensor => writer.Write(tensor.Entry.Name, tensor.Bytes));
        writer.Complete();
    }
}
