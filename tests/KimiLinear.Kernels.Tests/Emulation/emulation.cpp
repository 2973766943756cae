// Runs the blocks of a launch one after the other, the threads of a block as fibres. No library is used.
#include "emulation.h"

// Rows of matrices that the last launch loaded from banks that others of the same matrix lie in.
extern "C" long bank_conflicts;
long bank_conflicts;

namespace
{
constexpr int MaxThreads = 1024;
constexpr int MaxWarps = MaxThreads / WarpSize;
constexpr long StackBytes = 64 << 10;
constexpr int MaxSharedBytes = 256 << 10;

// Orders from 0 to this one are known.
constexpr int LockstepOrder = 3;

// Bytes that read as NaN, where nothing has been written.
constexpr unsigned char Poison = 0xFF;
constexpr int GuardBytes = 4096;

// What goes wrong in a block.
constexpr int Deadlock = 1;
constexpr int SharedOverflow = 2;
constexpr int ImpossibleLaunch = 3;
constexpr int BadWideAddress = 4;
constexpr int LostCopies = 5;

constexpr int CopyBytes = 16;
constexpr int MaxCopies = 256;

// A copy that has begun.
struct Copy
{
    unsigned char* shared;
    const unsigned char* global;
    int bytes;
    long group;
};

// The copies of one thread, in the order in which they began.
struct Copies
{
    int count;
    long groups; // those committed
    Copy copies[MaxCopies];
};

struct Fibre
{
    void* stack; // where its registers were put when it stopped
    long barriers;
    long exchanges;
    bool isDone;
};

Fibre fibres[MaxThreads];
Copies copies[MaxThreads];
int fault; // the first of the block, or 0
void* scheduler;
void (*kernel)(const void*);
const void* kernelArguments;

long blockArrivals;
long warpArrivals[MaxWarps];
emulation::Words exchanged[MaxWarps][2];

alignas(64) unsigned char stacks[MaxThreads][StackBytes];
alignas(256) unsigned char sharedBytes[MaxSharedBytes + GuardBytes];

// Puts the registers that a call must preserve on the stack, takes another stack, and gets them from there.
extern "C" __attribute__((naked)) void switchStack(void** from, void* to)
{
    asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}

void setFault(int found) { fault = fault == 0 ? found : fault; }

void wait() { switchStack(&fibres[emulation::place.thread].stack, scheduler); }

extern "C" void runFibre()
{
    kernel(kernelArguments);
    fibres[emulation::place.thread].isDone = true;
    if (copies[emulation::place.thread].count > 0)
    {
        setFault(LostCopies);
    }

    wait();
}

void prepareFibre(int thread)
{
    // As if it had been stopped just before its first instruction: six registers, then where to return to. A function begins
    // with the stack eight bytes off a multiple of sixteen.
    void** top = (void**)(stacks[thread] + StackBytes) - 8;
    for (int i = 0; i < 6; i++)
    {
        top[i] = nullptr;
    }

    top[6] = (void*)runFibre;
    top[7] = nullptr;
    fibres[thread] = {top, 0, 0, false};
    copies[thread].count = 0;
    copies[thread].groups = 0;
}

bool canRun(int thread)
{
    const Fibre& fibre = fibres[thread];
    return !fibre.isDone && blockArrivals >= fibre.barriers * emulation::place.threads
        && warpArrivals[thread / WarpSize] >= fibre.exchanges * WarpSize;
}

// The i-th warp, lane or block: ascending, descending, or scattered by a step that has no factor in common with the count.
int inOrder(int i, int count, int order)
{
    if (order == 0)
    {
        return i;
    }

    if (order == 1)
    {
        return count - 1 - i;
    }

    int step = count / 2 + order;
    auto haveFactor = [](int a, int b)
    {
        while (b != 0)
        {
            int rest = a % b;
            a = b;
            b = rest;
        }

        return a != 1;
    };
    while (haveFactor(step, count))
    {
        step++;
    }

    return (int)(((long)i * step + order) % count);
}

// Lets every lane of a warp that can run do so once. Returns how many have ended, or −1 when none could run.
int runWarp(int warp, int order)
{
    int ended = 0;
    bool hasMoved = false;
    for (int i = 0; i < WarpSize; i++)
    {
        int thread = warp * WarpSize + inOrder(i, WarpSize, order);
        if (canRun(thread))
        {
            hasMoved = true;
            emulation::place.thread = thread;
            switchStack(&scheduler, fibres[thread].stack);
            ended += fibres[thread].isDone ? 1 : 0;
        }
    }

    return hasMoved ? ended : -1;
}

// Threads may wait for others that never come: they ended, or wait elsewhere.
int runBlock(int order)
{
    int threads = emulation::place.threads;
    fault = 0;
    blockArrivals = 0;
    for (int warp = 0; warp < MaxWarps; warp++)
    {
        warpArrivals[warp] = 0;
    }

    for (int thread = 0; thread < threads; thread++)
    {
        prepareFibre(thread);
    }

    // A warp runs as far ahead of the others as it can, but for the last order, where all keep step.
    int warps = threads / WarpSize;
    for (int left = threads; left > 0;)
    {
        bool hasMoved = false;
        for (int i = 0; i < warps; i++)
        {
            int warp = inOrder(i, warps, order);
            int ended;
            do
            {
                ended = runWarp(warp, order);
                hasMoved |= ended >= 0;
                left -= ended > 0 ? ended : 0;
            } while (ended >= 0 && order != LockstepOrder);
        }

        if (!hasMoved)
        {
            return Deadlock;
        }
    }

    return fault;
}

void poison(unsigned char* bytes, int count)
{
    for (int i = 0; i < count; i++)
    {
        ((volatile unsigned char*)bytes)[i] = Poison;
    }
}
}

namespace emulation
{
Place place;
float* shared = (float*)sharedBytes;

void barrier()
{
    blockArrivals++;
    fibres[place.thread].barriers++;
    wait();
}

// Two sets of places, because a lane may come to the next exchange while others have yet to read from this one.
const Words& exchange(const unsigned* values, int count)
{
    int thread = place.thread;
    int warp = thread / WarpSize;
    Words& words = exchanged[warp][fibres[thread].exchanges++ & 1];
    for (int i = 0; i < count; i++)
    {
        words[i][thread % WarpSize] = values[i];
    }

    warpArrivals[warp]++;
    wait();
    return words;
}

bool requireShared(const void* address)
{
    long offset = (const unsigned char*)address - sharedBytes;
    bool isGood = offset >= 0 && offset < MaxSharedBytes && offset % CopyBytes == 0;
    if (!isGood)
    {
        setFault(BadWideAddress);
    }

    return isGood;
}

// The eight rows of a matrix are loaded at once where they lie in eight different eighths of the 128 bytes of all banks.
void countConflicts(const Words& rows, int matrix)
{
    unsigned met = 0;
    for (int row = matrix * 8; row < matrix * 8 + 8; row++)
    {
        unsigned bank = 1u << (rows[0][row] / CopyBytes % 8);
        bank_conflicts += (met & bank) != 0 ? 1 : 0;
        met |= bank;
    }
}

// Sums in ascending order, rounded after every product (which is exact): no order of the GPU loses more, but for cut sums.
void multiplyMatrices(const unsigned (&factors)[6], float (&sums)[4])
{
    const Words& words = exchange(factors, 6);
    int lane = place.thread % WarpSize;
    auto half = [&](int word, int owner, int k)
    {
        unsigned both = words[word][owner];
        return __builtin_bit_cast(float, k % 2 == 0 ? both << 16 : both & 0xFFFF0000u);
    };
    for (int i = 0; i < 4; i++)
    {
        int row = lane / 4 + i / 2 * 8;
        int column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 16; k++)
        {
            int t = k % 8 / 2;
            float a = half(row / 8 + k / 8 * 2, row % 8 * 4 + t, k);
            float b = half(4 + k / 8, column * 4 + t, k);
            sums[i] += a * b;
        }
    }
}

// The GPU may copy at any time between this and the wait: what was there is gone now, and what shall be there is not there yet.
void copyAsync(void* shared, const void* global, int bytes)
{
    Copies& own = copies[place.thread];
    bool isGood = (unsigned long)global % CopyBytes == 0 && bytes >= 0 && bytes <= CopyBytes;
    if (!requireShared(shared) || !isGood || own.count == MaxCopies)
    {
        setFault(own.count == MaxCopies ? LostCopies : BadWideAddress);
        return;
    }

    poison((unsigned char*)shared, CopyBytes);
    own.copies[own.count++] = {(unsigned char*)shared, (const unsigned char*)global, bytes, own.groups};
}

void commitCopies() { copies[place.thread].groups++; }

void waitForCopies(int groups)
{
    Copies& own = copies[place.thread];
    int left = 0;
    for (int i = 0; i < own.count; i++)
    {
        const Copy& copy = own.copies[i];
        if (copy.group >= own.groups - groups)
        {
            own.copies[left++] = copy;
            continue;
        }

        for (int byte = 0; byte < CopyBytes; byte++)
        {
            ((volatile unsigned char*)copy.shared)[byte] = byte < copy.bytes ? copy.global[byte] : 0;
        }
    }

    own.count = left;
}
}

// Runs a kernel. Returns 0; 1 when threads wait for each other in vain; 2 when shared memory was written past its end;
// 3 when the launch has more threads than the kernel was compiled for, or more shared memory than there is; 4 when a copy or a
// matrix does not begin at a multiple of 16 bytes, or not where it must; 5 when copies began that nobody waited for, or too many.
extern "C" int emulate(
    void (*entry)(const void*),
    const void* arguments,
    const int* grid, // [3]
    int threads,
    int maxThreads,
    int sharedSize,
    int order)
{
    if (threads > maxThreads || threads > MaxThreads || sharedSize > MaxSharedBytes)
    {
        return ImpossibleLaunch;
    }

    kernel = entry;
    kernelArguments = arguments;
    bank_conflicts = 0;
    int blocks = grid[0] * grid[1] * grid[2];
    for (int i = 0; i < blocks; i++)
    {
        int block = inOrder(i, blocks, order);
        emulation::place = {0, threads, block % grid[0], block / grid[0] % grid[1], block / grid[0] / grid[1], grid[0]};
        poison(sharedBytes, sharedSize + GuardBytes);
        if (int failure = runBlock(order))
        {
            return failure;
        }

        for (int guard = 0; guard < GuardBytes; guard++)
        {
            if (sharedBytes[sharedSize + guard] != Poison)
            {
                return SharedOverflow;
            }
        }
    }

    return 0;
}
