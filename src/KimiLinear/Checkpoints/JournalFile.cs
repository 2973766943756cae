namespace KimiLinear.Checkpoints;

/// <summary>A weight file in the making.</summary>
/// <param name="FileName">Its plain name.</param>
/// <param name="HashNames">What the journal keeps a hash of when the file is finished.</param>
internal sealed record JournalFile(string FileName, IReadOnlyList<string> HashNames);
