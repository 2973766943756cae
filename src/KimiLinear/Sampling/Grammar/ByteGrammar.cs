using System.Runtime.CompilerServices;

namespace KimiLinear.Sampling;

/// <summary>A grammar over bytes, with its machines: one per vocabulary, shared by all requests.</summary>
internal sealed class ByteGrammar(GrammarRule root, int depth)
{
    // A machine that has seen so much is left to the requests that use it, and others begin anew.
    private const long MaxMachineBytes = 256L << 20;

    private readonly ConditionalWeakTable<TokenTrie, GrammarMachine> _machines = [];

    /// <summary>Gets the rule of the whole text.</summary>
    public GrammarRule Root => root;

    /// <summary>Returns the machine of a vocabulary.</summary>
    public GrammarMachine MachineOf(TokenTrie trie)
    {
        GrammarMachine machine = _machines.GetValue(trie, Create);
        if (machine.ByteCount > MaxMachineBytes)
        {
            machine = Create(trie);
            _machines.AddOrUpdate(trie, machine);
        }

        return machine;
    }

    private GrammarMachine Create(TokenTrie trie) => new(root, depth, trie);
}
