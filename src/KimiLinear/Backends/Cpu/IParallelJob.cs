namespace KimiLinear.Backends;

/// <summary>One stage of work that a team of threads does together.</summary>
internal interface IParallelJob
{
    /// <summary>Does one worker's share; called once for each worker, at the same time.</summary>
    void Execute(int worker, int workerCount);
}
