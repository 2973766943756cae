namespace KimiLinear.Backends;

/// <summary>How far ahead of a place in a stream its next lines lie.</summary>
/// <param name="Near">To what is needed soon.</param>
/// <param name="Far">To what Intel's processors bring near first.</param>
internal readonly record struct StreamAhead(long Near, long Far);
