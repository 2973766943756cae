using System.Globalization;

namespace KimiLinear.Scheduling;

/// <summary>Where callers hand requests to the engine's thread, and wake it.</summary>
internal sealed class RequestQueue(EngineOptions options) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<EngineRequest> _arrived = [];
    private readonly AutoResetEvent _changed = new(initialState: false);
    private TaskCompletionSource? _idle;
    private bool _refuses;
    private bool _isClosed;
    private bool _isDisposed;
    private int _openCount;

    /// <summary>When a place may be free; what refused callers are told.</summary>
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Requests refused because too many waited.</summary>
    public long RefusedCount { get; private set; }

    /// <summary>Hands a request over.</summary>
    /// <exception cref="EngineOverloadedException">Too many wait.</exception>
    /// <exception cref="ObjectDisposedException">The engine takes no more.</exception>
    public void Add(EngineRequest request)
    {
        lock (_gate)
        {
            if (_refuses)
            {
                throw new ObjectDisposedException(nameof(GenerationEngine), "The engine was stopped and takes no more requests.");
            }

            long room = (long)options.MaxSequences + options.MaxQueued;
            if (_openCount >= room)
            {
                RefusedCount++;
                throw new EngineOverloadedException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{_openCount:N0} requests run or wait already, and no more than {room:N0} may. Try again later."),
                    RetryAfter);
            }

            _openCount++;
            _arrived.Add(request);
        }

        Wake();
    }

    /// <summary>Something happened that the engine's thread shall look at; allowed from any thread at any time.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            if (!_isDisposed)
            {
                _changed.Set();
            }
        }
    }

    /// <summary>Blocks the engine's thread until something happened.</summary>
    public void Wait() => _changed.WaitOne();

    /// <summary>Moves what has arrived to those that wait.</summary>
    /// <returns>Whether the engine goes on.</returns>
    public bool TakeInto(List<EngineRequest> waiting, CallerShares shares)
    {
        lock (_gate)
        {
            foreach (EngineRequest request in _arrived)
            {
                shares.Enter(request.Caller);
                waiting.Add(request);
            }

            _arrived.Clear();
            return !_isClosed;
        }
    }

    /// <summary>Counts a request out that has ended.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            if (--_openCount == 0)
            {
                _idle?.TrySetResult();
                _idle = null;
            }
        }
    }

    /// <summary>Completes when no request runs or waits.</summary>
    public Task WhenIdleAsync()
    {
        lock (_gate)
        {
            return _openCount == 0
                ? Task.CompletedTask
                : (_idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Takes no more requests; those that are there go on.</summary>
    public void Refuse()
    {
        lock (_gate)
        {
            _refuses = true;
        }
    }

    /// <summary>Takes no more requests and ends the engine's thread.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _refuses = true;
            _isClosed = true;
        }

        Wake();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _changed.Dispose();
        }
    }
}
