namespace KimiLinear.Backends;

/// <summary>The general registers of x64, by the numbers that instructions use; without those that point into the stack.</summary>
internal enum MachineRegister
{
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}
