using System.Buffers.Binary;

namespace KimiLinear.Checkpoints;

/// <summary>A metadata list of texts, read in order from the mapped file; it ends with the file.</summary>
/// <param name="data">The first text's length, checked like all that follows when the file was opened.</param>
/// <param name="count">How many texts there are.</param>
internal readonly unsafe struct GgufTexts(byte* data, long count)
{
    public long Count => count;

    public Enumerator GetEnumerator() => new(data, count);

    /// <summary>Walks over the texts, each as its bytes.</summary>
    internal ref struct Enumerator(byte* next, long left)
    {
        private byte* _next = next;
        private long _left = left;

        public ReadOnlySpan<byte> Current { get; private set; }

        public bool MoveNext()
        {
            if (_left == 0)
            {
                return false;
            }

            int byteCount = (int)BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(_next, sizeof(ulong)));
            Current = new ReadOnlySpan<byte>(_next + sizeof(ulong), byteCount);
            _next += sizeof(ulong) + byteCount;
            _left--;
            return true;
        }
    }
}
