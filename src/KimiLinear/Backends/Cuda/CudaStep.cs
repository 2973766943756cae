using System.Numerics;

namespace KimiLinear.Backends;

/// <summary>What the kernels of one step need to know of its batch, in device memory: which token belongs where.</summary>
/// <remarks>The tables stay where they are until a batch needs larger ones, so that a graph can be recorded over them.</remarks>
internal sealed unsafe class CudaStep : IDisposable
{
    // Where a table may begin.
    private const int TableAlignment = 16;

    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private readonly CudaEvent _uploaded;
    private CudaHostBuffer? _host;
    private CudaArena? _arena;
    private CudaRegion _region;
    private Tables _offsets;
    private int _tokenCapacity;
    private int _pageCapacity;

    public CudaStep(CudaDevice device, CudaStream stream)
    {
        _device = device;
        _stream = stream;
        _uploaded = new CudaEvent(device);
    }

    /// <summary>Tokens the kernels run over, those that only fill up included.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Sequences the kernels run over, empty ones that only fill up included.</summary>
    public int SequenceCount { get; private set; }

    public int LogitsRowCount { get; private set; }

    public nint TokenIds => Table(_offsets.TokenIds); // int32 [T]

    public nint Sequences => Table(_offsets.Sequences); // int32 [T]

    public nint Positions => Table(_offsets.Positions); // int32 [T]

    public nint Offsets => Table(_offsets.Offsets); // int32 [B + 1]

    public nint PageStarts => Table(_offsets.PageStarts); // int32 [B]

    public nint LogitsRows => Table(_offsets.LogitsRows); // int32 [rows]

    public nint Slots => Table(_offsets.Slots); // addresses [B]

    public nint Pages => Table(_offsets.Pages); // addresses

    /// <summary>Makes room for a batch. Returns whether the tables have moved.</summary>
    public bool Reserve(ForwardBatch batch, int tokenCount)
    {
        int pageCount = PageCountOf(batch) + 1;
        if (tokenCount <= _tokenCapacity && pageCount <= _pageCapacity)
        {
            return false;
        }

        _tokenCapacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(tokenCount, _tokenCapacity));
        _pageCapacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(pageCount, _pageCapacity));
        _offsets = new Tables(_tokenCapacity, _pageCapacity);
        _host?.Dispose();
        _arena?.Dispose();
        _host = new CudaHostBuffer(_device, _offsets.ByteCount);
        _arena = new CudaArena(_device, "the tables of a step", _offsets.ByteCount);
        _region = _arena.Reserve("tables", _offsets.ByteCount);
        return true;
    }

    /// <summary>Writes the tables of a batch and queues their copy; up to the token count, single tokens that nobody reads follow.</summary>
    public void Fill(ForwardBatch batch, CudaCache cache, int tokenCount)
    {
        _uploaded.Synchronize();
        int filling = tokenCount - batch.TokenCount;
        TokenCount = tokenCount;
        SequenceCount = batch.SequenceCount + filling;
        LogitsRowCount = batch.LogitsRowCount == 0 ? 0 : batch.LogitsRowCount + filling;
        int pageCount = 0;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            Host<int>(_offsets.Offsets)[sequence] = batch.Offset(sequence);
            Host<int>(_offsets.PageStarts)[sequence] = pageCount;
            Host<nint>(_offsets.Slots)[sequence] = cache.Slot(batch.Slot(sequence)).Address;
            pageCount = AddPages(batch, cache, sequence, pageCount);
            AddTokens(batch, sequence);
        }

        batch.TokenIds.CopyTo(new Span<int>(Host<int>(_offsets.TokenIds), batch.TokenCount));
        batch.LogitsRows.CopyTo(new Span<int>(Host<int>(_offsets.LogitsRows), batch.LogitsRowCount));
        AddFilling(batch, cache, filling, pageCount);
        _stream.Upload(_host!.Data, _region, 0, _offsets.ByteCount);
        _uploaded.Record(_stream);
    }

    public void Dispose()
    {
        _host?.Dispose();
        _arena?.Dispose();
        _uploaded.Dispose();
    }

    private static int PageCountOf(ForwardBatch batch)
    {
        int count = 0;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            count += CacheLayout.PagesFor(batch.CachedTokens(sequence) + batch.TokenCountOf(sequence));
        }

        return count;
    }

    private int AddPages(ForwardBatch batch, CudaCache cache, int sequence, int pageCount)
    {
        int count = CacheLayout.PagesFor(batch.CachedTokens(sequence) + batch.TokenCountOf(sequence));
        foreach (int page in batch.PageTable(sequence).AsSpan(0, count))
        {
            Host<nint>(_offsets.Pages)[pageCount++] = cache.Page(page).Address;
        }

        return pageCount;
    }

    private void AddTokens(ForwardBatch batch, int sequence)
    {
        int first = batch.Offset(sequence);
        for (int t = 0; t < batch.TokenCountOf(sequence); t++)
        {
            Host<int>(_offsets.Sequences)[first + t] = sequence;
            Host<int>(_offsets.Positions)[first + t] = batch.CachedTokens(sequence) + t;
        }
    }

    // Their sequences are empty for the recurrent layers, and see one row of a page of their own in the latent ones.
    private void AddFilling(ForwardBatch batch, CudaCache cache, int filling, int pageCount)
    {
        Host<nint>(_offsets.Pages)[pageCount] = cache.UnreadPage.Address;
        for (int i = 0; i < filling; i++)
        {
            int token = batch.TokenCount + i;
            int sequence = batch.SequenceCount + i;
            Host<int>(_offsets.TokenIds)[token] = 0;
            Host<int>(_offsets.Sequences)[token] = sequence;
            Host<int>(_offsets.Positions)[token] = 0;
            Host<int>(_offsets.Offsets)[sequence] = batch.TokenCount;
            Host<int>(_offsets.PageStarts)[sequence] = pageCount;
            Host<int>(_offsets.LogitsRows)[batch.LogitsRowCount + i] = token;
            Host<nint>(_offsets.Slots)[sequence] = 0;
        }

        Host<int>(_offsets.Offsets)[batch.SequenceCount + filling] = batch.TokenCount;
    }

    private nint Table(int offset) => _region.Address + offset;

    private T* Host<T>(int offset)
        where T : unmanaged => (T*)(_host!.Data + offset);

    // Where each table begins, in bytes.
    private readonly struct Tables
    {
        public Tables(int tokenCapacity, int pageCapacity)
        {
            int end = 0;
            Slots = Add(tokenCapacity, sizeof(nint));
            Pages = Add(pageCapacity, sizeof(nint));
            TokenIds = Add(tokenCapacity, sizeof(int));
            Sequences = Add(tokenCapacity, sizeof(int));
            Positions = Add(tokenCapacity, sizeof(int));
            Offsets = Add(tokenCapacity + 1, sizeof(int));
            PageStarts = Add(tokenCapacity, sizeof(int));
            LogitsRows = Add(tokenCapacity, sizeof(int));
            ByteCount = end;

            int Add(int count, int size)
            {
                int start = end;
                end += (((count * size) + TableAlignment - 1) / TableAlignment) * TableAlignment;
                return start;
            }
        }

        public int Slots { get; }

        public int Pages { get; }

        public int TokenIds { get; }

        public int Sequences { get; }

        public int Positions { get; }

        public int Offsets { get; }

        public int PageStarts { get; }

        public int LogitsRows { get; }

        public int ByteCount { get; }
    }
}
