using KimiLinear.Backends;

namespace KimiLinear.Tests.Backends.Cuda;

/// <summary>A kernel as it reached the driver: its entry, its shape and the bytes of its argument structure.</summary>
internal sealed record FakeLaunch(string Entry, LaunchShape Shape, byte[] Arguments);
