namespace KimiLinear.Backends;

/// <summary>The versions of libtorch that TorchSharp can work with.</summary>
internal static class LibtorchVersion
{
    /// <summary>The versions accepted, for messages.</summary>
    /// <remarks>TorchSharp is built against 2.10. 2.11 has what it calls; 2.12 changed the layout of objects.</remarks>
    public const string Accepted = "libtorch 2.10 or 2.11";

    /// <summary>Whether a version as libtorch states it can be used: major, minor and patch in the three highest bytes.</summary>
    public static bool IsAccepted(ulong version) => (version >> 48) is 0x020A or 0x020B;

    /// <summary>A version in the usual form.</summary>
    public static string Text(ulong version) => $"{version >> 56}.{(version >> 48) & 0xff}.{(version >> 40) & 0xff}";
}
