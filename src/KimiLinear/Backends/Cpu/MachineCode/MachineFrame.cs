namespace KimiLinear.Backends;

/// <summary>The beginning and the end of a kernel: registers that belong to the caller are kept in its arguments meanwhile.</summary>
/// <param name="code">Receives the instructions.</param>
/// <param name="kept">The registers that some calling convention wants back.</param>
/// <param name="place">Where there is room for them, counted from the arguments.</param>
internal sealed class MachineFrame(MachineCodeWriter code, MachineRegister[] kept, int place)
{
    /// <summary>What holds the address of the arguments.</summary>
    public const MachineRegister Arguments = MachineRegister.Rax;

    /// <summary>Begins a kernel.</summary>
    /// <param name="argument">The register in which the system passes a first argument.</param>
    public void Open(MachineRegister argument)
    {
        code.Move(Arguments, argument);
        for (int i = 0; i < kept.Length; i++)
        {
            code.Store(PlaceOf(i), kept[i]);
        }
    }

    /// <summary>Ends it.</summary>
    public void Close()
    {
        for (int i = 0; i < kept.Length; i++)
        {
            code.Load(kept[i], PlaceOf(i));
        }

        code.ClearUpperHalves();
        code.Return();
    }

    private MachineMemory PlaceOf(int i) => new(Arguments, place + (i * sizeof(long)));
}
