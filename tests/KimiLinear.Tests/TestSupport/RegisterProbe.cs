using System.Buffers.Binary;
using System.Runtime.InteropServices;
using KimiLinear.Backends;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Calls a kernel with known values in the registers that some convention gives to the caller, and looks at them after.</summary>
/// <remarks>
/// Unix gives rbx, rbp, rsp and r12 to r15, Windows also rsi, rdi and 128 bits of the vector registers 6 to 15. The address of the
/// probe's memory is part of its instructions: no register has to survive the call for them to find it.
/// </remarks>
internal sealed unsafe class RegisterProbe : IDisposable
{
    private const int FirstVector = 6;
    private const int LastVector = 15;
    private const int VectorBytes = 64;
    private const int KeptVectorBytes = 16;

    // A set of registers in memory: 16 general ones by number, then vectors 6 to 15.
    private const int VectorsOffset = 16 * sizeof(long);
    private const int SetBytes = VectorsOffset + ((LastVector - FirstVector + 1) * VectorBytes);
    private const int Own = 0;
    private const int Given = SetBytes;
    private const int Found = 2 * SetBytes;

    private const MachineRegister Memory = MachineRegister.Rax;

    // No kernel has use for them, so that they have no names.
    private const MachineRegister StackPointer = (MachineRegister)4;
    private const MachineRegister FramePointer = (MachineRegister)5;

    private static readonly MachineRegister[] General =
    [
        MachineRegister.Rbx,
        FramePointer,
        MachineRegister.Rsi,
        MachineRegister.Rdi,
        MachineRegister.R12,
        MachineRegister.R13,
        MachineRegister.R14,
        MachineRegister.R15,
    ];

    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc(3 * SetBytes, VectorBytes);

    /// <summary>Calls a kernel.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="argument">The register with its argument.</param>
    /// <param name="value">The argument.</param>
    /// <returns>The registers that held something else afterwards.</returns>
    public string[] ChangedBy(MachineCodeWriter kernel, MachineRegister argument, void* value)
    {
        new Random(1).NextBytes(new Span<byte>(_memory, 3 * SetBytes));
        *General64(Given, argument) = (long)value;
        byte* entry = ExecutableMemory.TryPlace(Caller(kernel, argument));
        if (entry == null)
        {
            throw new InvalidOperationException("The system gives no memory for instructions.");
        }

        ((delegate* unmanaged<void>)entry)();
        return [.. Changed()];
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private static MachineMemory Place(int set, MachineRegister register) => new(Memory, set + ((int)register * sizeof(long)));

    private static MachineMemory Place(int set, int vector) =>
        new(Memory, set + VectorsOffset + ((vector - FirstVector) * VectorBytes));

    private static void StoreAll(MachineCodeWriter code, int set)
    {
        foreach (MachineRegister register in General.Append(StackPointer))
        {
            code.Store(Place(set, register), register);
        }

        for (int i = FirstVector; i <= LastVector; i++)
        {
            code.Vector(VectorInstruction.Store, i, Place(set, i));
        }
    }

    private static void LoadAll(MachineCodeWriter code, int set)
    {
        foreach (MachineRegister register in General)
        {
            code.Load(register, Place(set, register));
        }

        for (int i = FirstVector; i <= LastVector; i++)
        {
            code.Vector(VectorInstruction.Load, i, Place(set, i));
        }
    }

    private byte[] Caller(MachineCodeWriter kernel, MachineRegister argument)
    {
        MachineCodeWriter before = new();
        StoreAll(before, Own);
        LoadAll(before, Given);
        before.Load(argument, Place(Given, argument));
        MachineCodeWriter after = new();
        StoreAll(after, Found);
        LoadAll(after, Own);
        after.Load(StackPointer, Place(Own, StackPointer));
        after.Return();

        // mov rax, the probe's memory
        byte[] address = [0x48, 0xB8, .. BitConverter.GetBytes((long)_memory)];
        byte[] rest = [.. address, .. after.ToArray()];

        // call what begins behind the rest
        byte[] call = [0xE8, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(call.AsSpan(1), rest.Length);
        return [.. address, .. before.ToArray(), .. call, .. rest, .. kernel.ToArray()];
    }

    private List<string> Changed()
    {
        List<string> changed = [];
        foreach (MachineRegister register in General)
        {
            if (*General64(Found, register) != *General64(Given, register))
            {
                changed.Add(register == FramePointer ? "Rbp" : $"{register}");
            }
        }

        if (*General64(Found, StackPointer) != *General64(Own, StackPointer))
        {
            changed.Add("Rsp");
        }

        for (int i = FirstVector; i <= LastVector; i++)
        {
            if (!Vector(Found, i).SequenceEqual(Vector(Given, i)))
            {
                changed.Add($"Xmm{i}");
            }
        }

        return changed;
    }

    private long* General64(int set, MachineRegister register) => (long*)(_memory + set + ((int)register * sizeof(long)));

    private ReadOnlySpan<byte> Vector(int set, int vector) =>
        new(_memory + set + VectorsOffset + ((vector - FirstVector) * VectorBytes), KeptVectorBytes);
}
