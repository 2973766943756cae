// Functions of one number in float32. Only operations that every machine rounds alike are used (no approximate instructions, and
// a product is joined with a sum only where fusedMultiplyAdd says so), so that what is tested on the processor is what the GPU
// computes, bit by bit.
#pragma once
#include "device.h"

using bfloat16 = unsigned short;
using Float2 = float __attribute__((ext_vector_type(2)));
using Float4 = float __attribute__((ext_vector_type(4)));
using UInt4 = unsigned __attribute__((ext_vector_type(4)));

constexpr float Infinity = __builtin_inff();

DEVICE float asFloat(unsigned bits) { return __builtin_bit_cast(float, bits); }
DEVICE unsigned asBits(float value) { return __builtin_bit_cast(unsigned, value); }

DEVICE bool isNaN(float x) { return x != x; }

DEVICE int ceilingDivide(int value, int divisor) { return (value + divisor - 1) / divisor; }

DEVICE float fusedMultiplyAdd(float x, float y, float z) { return __builtin_fmaf(x, y, z); }

DEVICE float squareRoot(float x) { return __builtin_sqrtf(x); }

DEVICE float toFloat(bfloat16 value) { return asFloat((unsigned)value << 16); }

// To the nearest, ties to even; what is no number stays none.
DEVICE bfloat16 toBFloat16(float value)
{
    unsigned bits = asBits(value);
    return isNaN(value) ? (bfloat16)((bits >> 16) | 0x40) : (bfloat16)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// e^x = 2^n · e^r with |r| ≤ ln 2 / 2, e^r by its series; within two units in the last place, subnormal results included.
DEVICE float exponential(float x)
{
    if (x > 88.8f)
    {
        return Infinity;
    }

    if (x < -104.0f)
    {
        return 0;
    }

    // Adding and taking away 1.5 · 2^23 rounds to the nearest integer.
    const float rounder = 12582912.0f;
    float n = fusedMultiplyAdd(x, 1.44269504f, rounder) - rounder;
    float r = fusedMultiplyAdd(n, -0.693145752f, x); // ln 2 in two parts
    r = fusedMultiplyAdd(n, -1.42860677e-6f, r);

    float p = 1.0f / 5040;
    p = fusedMultiplyAdd(p, r, 1.0f / 720);
    p = fusedMultiplyAdd(p, r, 1.0f / 120);
    p = fusedMultiplyAdd(p, r, 1.0f / 24);
    p = fusedMultiplyAdd(p, r, 1.0f / 6);
    p = fusedMultiplyAdd(p, r, 0.5f);
    p = fusedMultiplyAdd(p, r, 1.0f);
    p = fusedMultiplyAdd(p, r, 1.0f);

    // In two steps, because 2^n alone may be too small or too large for a normal number. NaN has no exponent to take.
    int exponent = isNaN(x) ? 0 : (int)n;
    int half = exponent / 2;
    return p * asFloat((unsigned)(half + 127) << 23) * asFloat((unsigned)(exponent - half + 127) << 23);
}

// 2^x for x up to 0, within two units in the last place; 0 below 2^-126. The difference of two scores, in base two, is such an x.
DEVICE float powerOfTwo(float x)
{
    const float rounder = 12582912.0f;
    float shifted = x + rounder;
    float r = x - (shifted - rounder); // |r| ≤ 1/2

    float p = 0.000154531634f;
    p = fusedMultiplyAdd(p, r, 0.00133908633f);
    p = fusedMultiplyAdd(p, r, 0.00961808302f);
    p = fusedMultiplyAdd(p, r, 0.0555035695f);
    p = fusedMultiplyAdd(p, r, 0.240226507f);
    p = fusedMultiplyAdd(p, r, 0.693147182f);
    p = fusedMultiplyAdd(p, r, 1.0f);

    // The last bits of the shifted number are the integer that is to be added to the exponent.
    float power = asFloat(asBits(p) + (asBits(shifted) << 23));
    return x >= -126.0f ? power : isNaN(x) ? x : 0;
}

// ln(1 + y) for y in [0, 1], by the series of 2·artanh(y / (2 + y)), whose terms shrink by nine at least.
DEVICE float logarithmOfOnePlus(float y)
{
    float s = y / (2 + y);
    float square = s * s;
    float p = 1.0f / 17;
    p = fusedMultiplyAdd(p, square, 1.0f / 15);
    p = fusedMultiplyAdd(p, square, 1.0f / 13);
    p = fusedMultiplyAdd(p, square, 1.0f / 11);
    p = fusedMultiplyAdd(p, square, 1.0f / 9);
    p = fusedMultiplyAdd(p, square, 1.0f / 7);
    p = fusedMultiplyAdd(p, square, 1.0f / 5);
    p = fusedMultiplyAdd(p, square, 1.0f / 3);
    p = fusedMultiplyAdd(p, square, 1.0f);
    return 2 * s * p;
}

// ln(1 + e^x) without overflow, and without losing small values to the 1.
DEVICE float softplus(float x)
{
    float magnitude = x < 0 ? -x : x;
    return (x > 0 ? x : 0) + logarithmOfOnePlus(exponential(-magnitude));
}

DEVICE float sigmoid(float x) { return 1 / (1 + exponential(-x)); }

DEVICE float silu(float x) { return x * sigmoid(x); }
