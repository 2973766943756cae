using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Model;

namespace KimiLinear.Scheduling;

/// <summary>Keeps what sequences hold within a number of bytes; kept prefixes give way first.</summary>
internal sealed class MemoryBudget(KimiLinearModel model, PrefixCache? prefixes, long maxBytes)
{
    /// <summary>Tokens of a reply for which there has to be room before a request gets a place.</summary>
    public const int ReservedReplyTokens = 1024;

    public long MaxBytes => maxBytes;

    /// <summary>Bytes that sequences and kept prefixes hold.</summary>
    public long UsedBytes => model.UsedSequenceBytes;

    /// <summary>Half of what the model leaves of the memory that this process may use, at least a sixteenth of all.</summary>
    public static long Default(KimiLinearModel model)
    {
        long total = model.DeviceMemoryBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return Math.Max((total - model.WeightBytes) / 2, total / 16);
    }

    /// <summary>Refuses a budget in which no request could ever run.</summary>
    /// <exception cref="ArgumentException">There is no room for a single token.</exception>
    public static void RequireRoom(KimiLinearModel model, long maxBytes)
    {
        long least = BytesOf(model, 1);
        if (maxBytes < least)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"Sequences may hold {maxBytes:N0} bytes, but a single token of this model needs {least:N0}. "
                + $"Raise {nameof(EngineOptions.MemoryBytes)}."));
        }
    }

    /// <summary>Bytes set aside for a request that runs: what its prompt and a part of its reply need, or what it has taken or lost.</summary>
    public long BytesFor(EngineRequest request)
    {
        int reply = Math.Min(request.Options.MaxTokens ?? ReservedReplyTokens, ReservedReplyTokens);
        int taken = Math.Max(request.Known.Length, request.Sequence?.Length ?? 0);
        return BytesOf(Math.Max(request.Prompt.Length + reply, taken));
    }

    /// <summary>Bytes of a sequence of so many tokens.</summary>
    public long BytesOf(int tokenCount) => BytesOf(model, tokenCount);

    /// <summary>Makes room by dropping kept prefixes.</summary>
    /// <returns>Whether there is room now.</returns>
    public bool MakeRoom(long bytes)
    {
        while (UsedBytes + bytes > maxBytes)
        {
            if (prefixes is null || !prefixes.DropOne())
            {
                return false;
            }
        }

        return true;
    }

    private static long BytesOf(KimiLinearModel model, int tokenCount) =>
        model.SlotBytes + (CacheLayout.PagesFor(tokenCount) * model.PageBytes);
}
