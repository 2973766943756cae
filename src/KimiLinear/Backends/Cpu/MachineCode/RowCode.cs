using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>
/// Writes <see cref="PackedQ4Kernel{TSimd,TVector,TIntegers,TInteger}.One"/> for two planes, with the instruction that multiplies
/// and adds in one.
/// </summary>
/// <remarks>
/// Upper halves of bytes stay where they are: their sums count in sixteenths, which costs one shift for a block, not four. All
/// sums of a block go through two registers; as each block begins new ones, the processor goes on with the next meanwhile.
/// </remarks>
internal static class RowCode
{
    private const int Scales = 0;
    private const int Zeros = 1;
    private const int LowerSums = 2;
    private const int UpperSums = 3;
    private const int FirstWeights = 16;
    private const int LowerHalves = 24;
    private const int UpperHalves = 25;
    private const int ZeroStep = 26;
    private const int Total = 27;

    private const int ChunkCount = PackedLayout.Q4BlockBytes / PackedLayout.ChunkBytes;
    private const int SecondHeader = PackedLayout.HeaderBytes / 2;

    private const MachineRegister Arguments = MachineRegister.Rax;
    private const MachineRegister Pair = MachineRegister.Rcx;
    private const MachineRegister High = MachineRegister.Rdx;
    private const MachineRegister Low = MachineRegister.R8;
    private const MachineRegister InputScales = MachineRegister.R9;
    private const MachineRegister InputOffsets = MachineRegister.R10;
    private const MachineRegister Count = MachineRegister.R11;

    /// <summary>Writes the kernel; its only argument is the address of <see cref="RowArguments"/>.</summary>
    public static void Write(MachineCodeWriter code, MachineRegister argument)
    {
        code.Move(Arguments, argument);
        code.Load(Pair, At(nameof(RowArguments.Pair)));
        code.Load(High, At(nameof(RowArguments.High)));
        code.Load(Low, At(nameof(RowArguments.Low)));
        code.Load(InputScales, At(nameof(RowArguments.InputScales)));
        code.Load(InputOffsets, At(nameof(RowArguments.InputOffsets)));
        code.Load(Count, At(nameof(RowArguments.PairCount)));
        code.Vector(VectorInstruction.Broadcast, LowerHalves, At(nameof(RowArguments.LowerHalves)));
        code.Vector(VectorInstruction.Broadcast, UpperHalves, At(nameof(RowArguments.UpperHalves)));
        code.Vector(VectorInstruction.Broadcast, ZeroStep, At(nameof(RowArguments.ZeroStep)));
        code.Vector(VectorInstruction.Xor, Total, Total, Total);

        int noPair = code.JumpIfZero(Count);
        int start = code.Here;
        CacheLine.WritePrefetchStream(code, Pair, 0);
        CacheLine.WritePrefetchPath(code, Pair, 0);
        WriteBlock(code, 0, PackedLayout.HeaderBytes, 0);
        CacheLine.WritePrefetchPath(code, Pair, PackedLayout.HeaderBytes + PackedLayout.Q4BlockBytes);
        WriteBlock(code, SecondHeader, PackedLayout.HeaderBytes + PackedLayout.Q4BlockBytes, 1);
        code.Add(Pair, PackedLayout.HeaderBytes + (2 * PackedLayout.Q4BlockBytes));
        code.Add(High, 2 * PackedLayout.BlockColumns);
        code.Add(Low, 2 * PackedLayout.BlockColumns);
        code.Add(InputScales, 2 * sizeof(float));
        code.Add(InputOffsets, 2 * sizeof(float));
        code.CountDown(Count, start);

        code.Land(noPair);
        code.Load(Count, At(nameof(RowArguments.IsOdd)));
        int noBlock = code.JumpIfZero(Count);
        WriteBlock(code, 0, PackedLayout.HeaderBytes, 0);
        code.Land(noBlock);
        code.Load(Pair, At(nameof(RowArguments.RowScales)));
        code.Vector(VectorInstruction.MultiplyFloats, Total, Total, new MachineMemory(Pair));
        code.Load(Pair, At(nameof(RowArguments.Output)));
        code.Vector(VectorInstruction.Store, Total, new MachineMemory(Pair));
        code.Return();
    }

    // The operations of PackedQ4Kernel.AddBlock in their order, as far as it matters: integers are exact in any.
    private static void WriteBlock(MachineCodeWriter code, int header, int codes, int block)
    {
        code.Vector(VectorInstruction.Xor, LowerSums, LowerSums, LowerSums);
        code.Vector(VectorInstruction.Xor, UpperSums, UpperSums, UpperSums);
        for (int chunk = 0; chunk < ChunkCount; chunk++)
        {
            int place = codes + (chunk * PackedLayout.ChunkBytes);
            int weights = FirstWeights + (2 * chunk);
            CacheLine.WritePrefetchStream(code, Pair, place);
            code.Vector(VectorInstruction.And, weights, LowerHalves, new MachineMemory(Pair, place));
            code.Vector(VectorInstruction.And, weights + 1, UpperHalves, new MachineMemory(Pair, place));
            WriteProducts(code, High, chunk, block);
        }

        const int PlaneBits = 8;
        code.ShiftLeftBy(LowerSums, PlaneBits);
        code.ShiftLeftBy(UpperSums, PlaneBits);
        for (int chunk = 0; chunk < ChunkCount; chunk++)
        {
            WriteProducts(code, Low, chunk, block);
        }

        const int HalfBits = 4;
        code.ShiftRightSignedBy(UpperSums, HalfBits);
        code.Vector(VectorInstruction.Add, LowerSums, LowerSums, UpperSums);
        code.Vector(VectorInstruction.WidenBytes, Scales, new MachineMemory(Pair, header));
        code.Vector(VectorInstruction.WidenBytes, Zeros, new MachineMemory(Pair, header + PackedLayout.TileRows));
        code.Vector(VectorInstruction.MultiplyPairs, Zeros, Zeros, Scales);
        code.Vector(VectorInstruction.Multiply, LowerSums, LowerSums, Scales);
        code.Vector(VectorInstruction.ToFloat, Zeros, Zeros);
        code.Vector(VectorInstruction.ToFloat, LowerSums, LowerSums);
        code.Vector(VectorInstruction.MultiplyFloats, Zeros, Zeros, ZeroStep);
        MachineMemory scale = new(InputScales, block * sizeof(float));
        code.Vector(VectorInstruction.MultiplyAddFloats, Total, LowerSums, scale, isBroadcast: true);
        MachineMemory offset = new(InputOffsets, block * sizeof(float));
        code.Vector(VectorInstruction.MultiplyAddFloats, Total, Zeros, offset, isBroadcast: true);
    }

    private static void WriteProducts(MachineCodeWriter code, MachineRegister plane, int chunk, int block)
    {
        int place = (block * PackedLayout.BlockColumns) + (chunk * 2 * sizeof(int));
        int weights = FirstWeights + (2 * chunk);
        code.Vector(
            VectorInstruction.AddByteProducts, LowerSums, weights, new MachineMemory(plane, place), isBroadcast: true);
        code.Vector(
            VectorInstruction.AddByteProducts,
            UpperSums,
            weights + 1,
            new MachineMemory(plane, place + sizeof(int)),
            isBroadcast: true);
    }

    private static MachineMemory At(string field) => new(Arguments, (int)Marshal.OffsetOf<RowArguments>(field));
}
