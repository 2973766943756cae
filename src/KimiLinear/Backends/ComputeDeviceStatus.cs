namespace KimiLinear.Backends;

/// <summary>Whether a device can be used.</summary>
/// <param name="Device">The device.</param>
/// <param name="IsAvailable">Whether a model can compute on it.</param>
/// <param name="Detail">What it is, or, in a sentence, why it cannot be used and what to do.</param>
public sealed record ComputeDeviceStatus(ComputeDevice Device, bool IsAvailable, string Detail);
