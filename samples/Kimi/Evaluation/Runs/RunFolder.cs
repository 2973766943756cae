using System.Text;
using System.Text.Json;
using Kimi.CommandLine;

namespace Kimi.Evaluation.Runs;

/// <summary>
/// A run on disk: <c>run.json</c> says under which protocol, <c>items.jsonl</c> holds a line for every judged reply. Whatever
/// ends the run, the lines that are there stay, and the same command continues behind them.
/// </summary>
/// <typeparam name="TProtocol">What <c>run.json</c> holds.</typeparam>
/// <typeparam name="TItem">What a line holds.</typeparam>
internal sealed class RunFolder<TProtocol, TItem> : IDisposable
{
    private readonly FileStream _items;
    private readonly Lock _appending = new();

    private RunFolder(string path, FileStream items, IReadOnlyList<TItem> done)
    {
        Path = path;
        _items = items;
        Done = done;
    }

    public string Path { get; }

    /// <summary>What earlier runs left.</summary>
    public IReadOnlyList<TItem> Done { get; }

    /// <summary>Makes the folder, or opens one whose run has the same protocol.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="protocol">The protocol of the run that begins or goes on.</param>
    /// <param name="differences">Says in what the folder's protocol differs from it.</param>
    /// <exception cref="CommandException">The folder holds another run, or something else, or is in use.</exception>
    public static RunFolder<TProtocol, TItem> Open(
        string path, TProtocol protocol, Func<TProtocol, TProtocol, IEnumerable<string>> differences)
    {
        Directory.CreateDirectory(path);
        string protocolPath = System.IO.Path.Combine(path, RunFiles.Protocol);
        string itemsPath = System.IO.Path.Combine(path, RunFiles.Items);
        if (File.Exists(protocolPath))
        {
            string[] found = [.. differences(RunFiles.ReadJson<TProtocol>(protocolPath), protocol)];
            if (found.Length > 0)
            {
                throw new CommandException(
                    $"The folder '{path}' holds a run with {string.Join("; ", found)}. Name another folder with --out, "
                    + "or give the same options to continue it.");
            }
        }
        else if (File.Exists(itemsPath))
        {
            throw new CommandException(
                $"The folder '{path}' holds {RunFiles.Items} but no {RunFiles.Protocol}, so it is no run.");
        }
        else
        {
            RunFiles.WriteWhole(protocolPath, JsonSerializer.Serialize(protocol, JsonText.Indented) + "\n");
        }

        FileStream items;
        try
        {
            items = new FileStream(itemsPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
        }
        catch (IOException exception)
        {
            throw new CommandException(
                $"'{itemsPath}' cannot be opened; does another run write it? {exception.Message}", exception);
        }

        try
        {
            return new RunFolder<TProtocol, TItem>(path, items, RunFiles.ReadItems<TItem>(items, itemsPath));
        }
        catch
        {
            items.Dispose();
            throw;
        }
    }

    /// <summary>Adds a line, in one write, and makes sure that it is on the disk.</summary>
    /// <exception cref="CommandException">The file cannot be written, as on a full disk; it is as it was.</exception>
    public void Append(TItem item)
    {
        byte[] line = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(item, JsonText.Compact) + "\n");
        lock (_appending)
        {
            long end = _items.Position;
            try
            {
                _items.Write(line);
                _items.Flush(flushToDisk: true);
            }
            catch (Exception exception) when (RunFiles.IsOfTheDisk(exception))
            {
                // A reply that is judged at the same time may be shorter and fit; it must not stand behind half a line.
                _items.SetLength(end);
                _items.Position = end;
                throw RunFiles.CannotWrite(
                    _items.Name, exception, "What is judged so far is kept; mend that, and the same command continues.");
            }
        }
    }

    /// <summary>Writes a file of the run, such as a report, whole or not at all.</summary>
    public void Write(string name, string content) => RunFiles.WriteWhole(System.IO.Path.Combine(Path, name), content);

    public void Dispose() => _items.Dispose();
}
