// Runs the blocks of a launch one after the other, the threads of a block as fibres. No library is used.
#include "emulation.h"

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

struct Fibre
{
    void* stack; // where its registers were put when it stopped
    long barriers;
    long exchanges;
    bool isDone;
};

Fibre fibres[MaxThreads];
void* scheduler;
void (*kernel)(const void*);
const void* kernelArguments;

long blockArrivals;
long warpArrivals[MaxWarps];
unsigned exchanged[MaxWarps][2][WarpSize];

alignas(64) unsigned char stacks[MaxThreads][StackBytes];
alignas(256) unsigned char sharedBytes[MaxSharedBytes + GuardBytes];

// Puts the registers that a call must preserve on the stack, takes another stack, and gets them from there.
extern "C" __attribute__((naked)) void switchStack(void** from, void* to)
{
    asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}

void wait() { switchStack(&fibres[emulation::place.thread].stack, scheduler); }

extern "C" void runFibre()
{
    kernel(kernelArguments);
    fibres[emulation::place.thread].isDone = true;
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

// 0, or 1 when threads wait for others that never come: they ended, or wait elsewhere.
int runBlock(int order)
{
    int threads = emulation::place.threads;
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
            return 1;
        }
    }

    return 0;
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
unsigned exchange(unsigned value, int lane)
{
    int thread = place.thread;
    int warp = thread / WarpSize;
    int set = (int)(fibres[thread].exchanges++ & 1);
    exchanged[warp][set][thread % WarpSize] = value;
    warpArrivals[warp]++;
    wait();
    return exchanged[warp][set][lane];
}
}

// Runs a kernel. Returns 0; 1 when threads wait for each other in vain; 2 when shared memory was written past its end;
// 3 when the launch has more threads than the kernel was compiled for, or more shared memory than there is.
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
        return 3;
    }

    kernel = entry;
    kernelArguments = arguments;
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
                return 2;
            }
        }
    }

    return 0;
}
