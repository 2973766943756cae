using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Pages stay where they are while their number grows gently.</summary>
[Collection(ProcessWide.Name)]
public sealed unsafe class PageSlabsTests
{
    [Fact]
    public void Add_ManyPages_EachKeepsItsOwnMemory()
    {
        const int Count = 3000;
        long before = NativeBuffer.AllocatedBytes;
        using PageSlabs slabs = new(sizeof(long));
        nint[] addresses = new nint[Count];
        for (int page = 0; page < Count; page++)
        {
            Assert.Equal(page, slabs.Add());
            addresses[page] = (nint)slabs[page];
            *(long*)addresses[page] = page;
            Assert.InRange(slabs.AllocatedBytes, (page + 1) * sizeof(long), ((page + 1) * sizeof(long) / 8 * 9) + sizeof(long));
            Assert.Equal(slabs.AllocatedBytes, NativeBuffer.AllocatedBytes - before);
        }

        for (int page = 0; page < Count; page++)
        {
            Assert.Equal(addresses[page], (nint)slabs[page]);
            Assert.Equal(page, *(long*)slabs[page]);
        }

        slabs.Dispose();
        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    [Fact]
    public void Add_AnyPage_AllocatesNoManagedMemory()
    {
        using PageSlabs slabs = new(64);
        slabs.Add();
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 1000; i++)
        {
            slabs.Add();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Item_PageThatDoesNotExist_Throws()
    {
        using PageSlabs slabs = new(64);
        slabs.Add();

        Assert.Throws<ArgumentOutOfRangeException>(() => (nint)slabs[1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => (nint)slabs[-1]);
    }
}
