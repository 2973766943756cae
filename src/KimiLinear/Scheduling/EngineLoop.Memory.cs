using System.Globalization;
using KimiLinear.Caching;

namespace KimiLinear.Scheduling;

/// <content>Who gives way when memory runs out.</content>
internal sealed partial class EngineLoop
{
    // Guesses give way first, then those whose readers are behind, then the youngest, whatever they have done so far; they begin
    // again when there is room.
    private bool MakeRoomForPlan()
    {
        while (!Memory.MakeRoom(NeededBytes()))
        {
            if (DropDrafts())
            {
                continue;
            }

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

    private bool DropDrafts()
    {
        bool isAnyDropped = false;
        for (int i = 0; i < _plan.Count; i++)
        {
            isAnyDropped |= _plan[i].DraftCount > 0;
            DropDraft(i);
        }

        return isAnyDropped;
    }

    private void DropDraft(int index)
    {
        PlannedEntry entry = _plan[index];
        if (entry.DraftCount > 0)
        {
            _plan[index] = entry with { TokenIds = entry.TokenIds[..^entry.DraftCount] };
            entry.Request.DropDraft();
        }
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

    // A guess takes a copy of the sequence. Kept prefixes give way to it, which sooner or later fill the memory; no request does:
    // where this estimate was too low, guesses go again.
    private bool HasRoomForGuesses()
    {
        long copies = _running.Count * (_model.SlotBytes + (2 * _model.PageBytes));
        long running = 0;
        foreach (EngineRequest request in _running)
        {
            running += request.IsDecoding ? Memory.BytesOf(request.Sequence!.Length) : Memory.BytesFor(request);
        }

        // What is in use counts pages that requests share once, but kept prefixes too.
        return Math.Min(running, Memory.UsedBytes) + copies <= Memory.MaxBytes;
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
