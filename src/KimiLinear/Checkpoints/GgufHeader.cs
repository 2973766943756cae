namespace KimiLinear.Checkpoints;

/// <summary>What a GGUF file says about itself, checked: every known tensor lies inside the file and none overlap.</summary>
/// <param name="Metadata">The keys and their values.</param>
/// <param name="Entries">The tensors in the order in which they lie in the file.</param>
/// <param name="EntriesOffset">Where the list of tensors begins in the file: behind the metadata.</param>
/// <param name="Alignment">What every tensor's place is a multiple of.</param>
/// <param name="DataOffset">Where the tensors' data begin in the file.</param>
internal sealed record GgufHeader(
    GgufMetadata Metadata, IReadOnlyList<GgufEntry> Entries, long EntriesOffset, long Alignment, long DataOffset);
