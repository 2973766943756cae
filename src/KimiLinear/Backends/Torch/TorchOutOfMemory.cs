using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Tells from libtorch's words that memory was too short, and says for what.</summary>
internal static class TorchOutOfMemory
{
    /// <summary>Does something that takes memory of the device.</summary>
    /// <param name="purpose">What the memory is for, as messages say it: "the weights".</param>
    /// <param name="take">Takes it.</param>
    /// <exception cref="DeviceMemoryException">There was not enough.</exception>
    public static T Explain<T>(string purpose, Func<T> take)
    {
        try
        {
            return take();
        }
        catch (ExternalException exception) when (IsCause(exception))
        {
            throw new DeviceMemoryException(
                $"The device has not enough memory for {purpose}. libtorch says: {FirstLine(exception.Message)}", exception);
        }
    }

    // The words of the allocators for CUDA and for the CPU.
    private static bool IsCause(ExternalException exception) =>
        exception.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || exception.Message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase);

    // What follows is a stack of calls inside libtorch.
    private static string FirstLine(string message) => message.Split('\n', 2)[0].Trim();
}
