namespace KimiLinear.Tokenization;

/// <summary>What the published pattern asks about a code point. One code point may be in several classes.</summary>
[Flags]
internal enum CharacterClass : byte
{
    /// <summary>Punctuation, symbols, controls, unassigned code points.</summary>
    None = 0,

    /// <summary>Script=Han.</summary>
    Han = 1,

    /// <summary>Any letter, Han included.</summary>
    Letter = 2,

    /// <summary>Any number, Han numerals included.</summary>
    Number = 4,

    /// <summary>What the first part of a word is made of: Lu, Lt, Lm, Lo, M, but not Han.</summary>
    WordHead = 8,

    /// <summary>What the second part of a word is made of: Ll, Lm, Lo, M, but not Han.</summary>
    WordTail = 16,

    /// <summary>White_Space.</summary>
    Space = 32,

    /// <summary>Carriage return or line feed.</summary>
    LineBreak = 64,
}
