using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Instructions against the bytes of an assembler that somebody else wrote: GNU as 2.40.</summary>
public sealed class MachineCodeWriterTests
{
    public static TheoryData<string> Texts => new(AllCases.Select(machineCode => machineCode.Text));

    private static IEnumerable<MachineCodeCase> AllCases =>
    [
        .. RegisterInstructionCases.Operands,
        .. RegisterInstructionCases.Shifts,
        .. MemoryInstructionCases.All,
        .. GeneralInstructionCases.All,
        .. GeneralInstructionCases.Prefetches,
        .. GeneralInstructionCases.Ends,
    ];

    [Theory]
    [MemberData(nameof(Texts))]
    public void Write_OneInstruction_GivesTheBytesOfAnAssembler(string text)
    {
        MachineCodeCase machineCode = AllCases.Single(one => one.Text == text);

        Assert.Equal(machineCode.Bytes, Written(machineCode.Write));
    }

    [Fact]
    public void Vector_EveryInstruction_IsAmongTheCases()
    {
        string[] named = [.. typeof(VectorInstruction).GetFields()
            .Where(field => field.IsStatic)
            .Select(field => Opcode((VectorInstruction)field.GetValue(null)!))];

        string[] tried = [.. RegisterInstructionCases.Operands.Concat(MemoryInstructionCases.All)
            .Select(machineCode => Opcode(machineCode.Bytes))];

        Assert.NotEmpty(named);
        Assert.Subset(tried.ToHashSet(), named.ToHashSet());
    }

    // mov rcx, rdx; top: mov rax, rdi; test r10, r10; {disp32} jne top; test rdi, rdi; {disp32} jne top
    [Fact]
    public void JumpUnlessZero_PlaceBefore_JumpsBackToIt()
    {
        string actual = Written(code =>
        {
            code.Move(MachineRegister.Rcx, MachineRegister.Rdx);
            int top = code.Here;
            code.Move(MachineRegister.Rax, MachineRegister.Rdi);
            code.JumpUnlessZero(MachineRegister.R10, top);
            code.JumpUnlessZero(MachineRegister.Rdi, top);
        });

        Assert.Equal("488BCA" + "488BC7" + "4D85D2" + "0F85F4FFFFFF" + "4885FF" + "0F85EBFFFFFF", actual);
    }

    // A loop farther away than one byte says: 100 times mov rax, rdi are 300 bytes.
    [Fact]
    public void JumpUnlessZero_PlaceFarBefore_JumpsBackToIt()
    {
        string actual = Written(code =>
        {
            for (int i = 0; i < 100; i++)
            {
                code.Move(MachineRegister.Rax, MachineRegister.Rdi);
            }

            code.JumpUnlessZero(MachineRegister.R15, 0);
        });

        Assert.EndsWith("488BC7" + "4D85FF" + "0F85CBFEFFFF", actual, StringComparison.Ordinal);
    }

    // test rdi, rdi; {disp32} je end; test r12, r12; {disp32} je inner; mov rax, rdi; inner: mov rcx, rdx; end: ret
    [Fact]
    public void Land_OneJumpInAnother_EachGoesToItsOwnPlace()
    {
        string actual = Written(code =>
        {
            int end = code.JumpIfZero(MachineRegister.Rdi);
            int inner = code.JumpIfZero(MachineRegister.R12);
            code.Move(MachineRegister.Rax, MachineRegister.Rdi);
            code.Land(inner);
            code.Move(MachineRegister.Rcx, MachineRegister.Rdx);
            code.Land(end);
            code.Return();
        });

        Assert.Equal("4885FF" + "0F840F000000" + "4D85E4" + "0F8403000000" + "488BC7" + "488BCA" + "C3", actual);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 63)]
    [InlineData(63, 1)]
    [InlineData(64, 0)]
    [InlineData(65, 63)]
    public void Align_AnyLength_FillsTheLineWithBreakpoints(int length, int filling)
    {
        const string Breakpoint = "CC";
        string actual = Written(code =>
        {
            for (int i = 0; i < length; i++)
            {
                code.Return();
            }

            code.Align();
            Assert.Equal(length + filling, code.Here);
        });

        Assert.Equal(
            string.Concat(Enumerable.Repeat("C3", length)) + string.Concat(Enumerable.Repeat(Breakpoint, filling)), actual);
    }

    private static string Written(Action<MachineCodeWriter> write)
    {
        MachineCodeWriter code = new();
        write(code);
        return Convert.ToHexString(code.ToArray());
    }

    // What tells instructions apart: the map, the prefix and the opcode.
    private static string Opcode(VectorInstruction instruction) =>
        $"map {instruction.Map}, prefix {instruction.Prefix}, opcode {instruction.Opcode:X2}";

    private static string Opcode(string bytes)
    {
        byte[] code = Convert.FromHexString(bytes);
        return $"map {code[1] & 7}, prefix {code[2] & 3}, opcode {code[4]:X2}";
    }
}
