using System.Globalization;
using KimiLinear.Caching;

namespace KimiLinear.Scheduling;

/// <content>Who gives way when memory runs out.</content>
internal sealed partial class EngineLoop
{
    // Those whose readers are behind give way first, then the youngest, whatever they have done so far; they begin again when
    // there is room.
    private bool MakeRoomForPlan()
    {
        while (!Memory.MakeRoom(NeededBytes()))
        {
            EngineRequest youngest = Youngest(_running.Where(request => request.IsPaused)) ?? Youngest(_running)!;
            if (_running.Count == 1)
            {
                Counters.Failed++;
                End(youngest, _running, new InsufficientMemoryException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The request has {youngest.Sequence!.Length:N0} tokens and needs more memory, but the engine may hold "
                    + $"{Memory.MaxBytes:N0} bytes. Raise {nameof(EngineOptions.MemoryBytes)}, or limit the tokens.")));
                return false;
            }

            Preempt(youngest);
        }

        return _plan.Count > 0;
    }

    // Nobody who runs is read, and somebody waits for memory: whose reader waits for the other's reply, would wait for ever.
    private bool MakeRoomForWaiting()
    {
        if (!_lacksMemory || _running.Count == 0 || !_running.All(request => request.IsPaused))
        {
            return false;
        }

        Preempt(Youngest(_running)!);
        return true;
    }

    private static EngineRequest? Youngest(IEnumerable<EngineRequest> requests) => requests.MaxBy(request => request.Ticket);

    private void Preempt(EngineRequest request)
    {
        Counters.Preempted++;
        StoreForLater(request);
        _plan.RemoveAll(entry => entry.Request == request);
        _running.Remove(request);
        request.Preempt();
        _waiting.Insert(0, request);
    }

    // With a folder, what it has read is not read again when there is room.
    private void StoreForLater(EngineRequest request)
    {
        SequenceState sequence = request.Sequence!;
        try
        {
            _prefixes?.Store(request.Tokens[..sequence.Length], sequence);
        }
#pragma warning disable CA1031 // Whatever went wrong, the request can be read again.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    // A guess takes a copy of the sequence. Kept prefixes give way to it, which sooner or later fill the memory; no request does.
    private bool HasRoomForGuesses()
    {
        long bytes = _running.Count * (_model.SlotBytes + (2 * _model.PageBytes));
        foreach (EngineRequest request in _running)
        {
            bytes += request.IsDecoding ? Memory.BytesOf(request.Sequence!.Length) : Memory.BytesFor(request);
        }

        return bytes <= Memory.MaxBytes;
    }

    private long NeededBytes()
    {
        long bytes = 0;
        foreach (PlannedEntry entry in _plan)
        {
            SequenceState sequence = entry.Request.Sequence!;
            bytes += (sequence.PagesToRent(entry.TokenIds.Length) * _model.PageBytes) + (sequence.Length == 0 ? _model.SlotBytes : 0);
            bytes += entry.DraftCount > 0 ? _model.SlotBytes + _model.PageBytes : 0;
        }

        return bytes;
    }
}
