// A float32 value as the sum of bfloat16 parts: the value rounded, then what that left of it, rounded. One part is within 2^-8 of
// the value, two are within 2^-17: a value in [2^e, 2^(e+1)) leaves at most 2^(e-8), and that at most 2^(e-17).
#pragma once
#include "arithmetic.h"

// What a part leaves of a value: nothing of an infinity or of what is no number.
DEVICE float restOf(float value, unsigned part) { return (part & 0x7F80) == 0x7F80 ? 0 : value - asFloat(part << 16); }

// The value as bfloat16; the value becomes what is left.
DEVICE bfloat16 takePart(float& value)
{
    bfloat16 part = (bfloat16)roundPair(value, 0);
    value = restOf(value, part);
    return part;
}

// Two of them in a word, the earlier one in its low half.
DEVICE unsigned takeParts(float& first, float& second)
{
    unsigned parts = roundPair(first, second);
    first = restOf(first, parts & 0xFFFF);
    second = restOf(second, parts >> 16);
    return parts;
}
