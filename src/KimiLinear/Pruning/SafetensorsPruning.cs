using System.Globalization;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Says what a safetensors file of a pruned model holds, tensor by tensor of the source's file.</summary>
/// <remarks>
/// Tensors are copied as they are, whatever their type: with an expert go its scales, and packed experts stay packed. Values as wide
/// as before stay aligned: the widest come first, otherwise the order stays.
/// </remarks>
internal sealed unsafe class SafetensorsPruning(ExpertRenumbering renumbering)
{
    /// <summary>Describes the pruned file; <see langword="null"/> when nothing is left of it.</summary>
    /// <param name="file">The source's file.</param>
    /// <param name="names">Receives the names of the tensors in the pruned file.</param>
    /// <exception cref="CheckpointFormatException">A tensor counts experts in a way that cannot be cut.</exception>
    public PrunedFile? Prune(SafetensorsFile file, List<string> names)
    {
        string fileName = Path.GetFileName(file.FilePath);
        List<Piece> pieces = [.. file.Entries.Select(entry => PieceOf(file, entry)).OfType<Piece>()];
        if (pieces.Count == 0)
        {
            return null;
        }

        names.AddRange(pieces.Select(piece => piece.Name));
        if (pieces.Count == file.Entries.Count && pieces.TrueForAll(piece => piece.IsSame))
        {
            return new PrunedFile(fileName, [], [new SourceRange(file.Start, file.FileBytes)]);
        }

        Piece[] ordered = [.. pieces.OrderByDescending(AlignmentOf)];
        List<SafetensorsEntry> entries = [];
        long end = 0;
        foreach (Piece piece in ordered)
        {
            long begin = end;
            end += piece.Ranges.Sum(range => range.ByteCount);
            entries.Add(new SafetensorsEntry(piece.Name, piece.Source.Type, piece.Shape, begin, end));
        }

        IReadOnlyDictionary<string, string> notes = file.ReadNotes();
        byte[] head = SafetensorsHeaderWriter.Build(entries, notes.Count == 0 ? null : notes);
        return new PrunedFile(fileName, head, [.. ordered.SelectMany(piece => piece.Ranges)]);
    }

    // Packed matrices are bytes by their type, but read in place; their sizes are multiples of the alignment.
    private static int AlignmentOf(Piece piece) =>
        PackedEntry.IsPacked(piece.Source) ? PackedLayout.AlignmentBytes : Math.Max(piece.Source.Type.Bits / 8, 1);

    private Piece? PieceOf(SafetensorsFile file, SafetensorsEntry entry)
    {
        byte* data = file.DataOf(entry);
        Piece whole = new(entry, entry.Name, entry.Shape, [new SourceRange(data, entry.End - entry.Begin)], IsSame: true);
        if (!WeightNames.TryParseLayer(entry.Name, out int layer, out string name))
        {
            return whole;
        }

        bool isExpert = WeightNames.SparseMoe.TryParseExpert(name, out int expert, out string rest);
        if (!renumbering.TryGetKept(layer, out IReadOnlyList<int>? kept))
        {
            return isExpert ? throw Unplanned(file, entry) : whole;
        }

        if (isExpert)
        {
            int index = renumbering.NewIndexOf(layer, expert);
            return index < 0 ? null
                : whole with
                {
                    Name = WeightNames.InLayer(layer, WeightNames.SparseMoe.OfExpert(index, rest)),
                    IsSame = index == expert,
                };
        }

        return WeightNames.SparseMoe.IsRouter(name) ? RowsOf(file, entry, kept) : whole;
    }

    private Piece RowsOf(SafetensorsFile file, SafetensorsEntry entry, IReadOnlyList<int> kept)
    {
        long bytes = entry.End - entry.Begin;
        if (entry.Shape.Rank == 0 || entry.Shape[0] != renumbering.OldCount || bytes % renumbering.OldCount != 0)
        {
            throw new CheckpointFormatException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{entry.Name} has shape {entry.Shape} in '{file.FilePath}', but must have a row for each of the ")
                + string.Create(
                    CultureInfo.InvariantCulture,
                    $"{renumbering.OldCount} experts to be cut. Prune a copy of the model whose router is stored plainly."),
                file.FilePath);
        }

        long rowBytes = bytes / renumbering.OldCount;
        byte* data = file.DataOf(entry);
        SourceRange[] rows = new SourceRange[kept.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new SourceRange(data + (kept[i] * rowBytes), rowBytes);
        }

        Shape shape = new([renumbering.NewCount, .. entry.Shape.Lengths[1..]]);
        return new Piece(entry, entry.Name, shape, rows, IsSame: kept.SequenceEqual(Enumerable.Range(0, renumbering.OldCount)));
    }

    private static CheckpointFormatException Unplanned(SafetensorsFile file, SafetensorsEntry entry) =>
        new(
            $"{entry.Name} belongs to a layer behind the last, whose experts no plan names. Remove such layers from the model "
            + $"first; it runs without them. ('{file.FilePath}')",
            file.FilePath);

    private sealed record Piece(SafetensorsEntry Source, string Name, Shape Shape, SourceRange[] Ranges, bool IsSame);
}
