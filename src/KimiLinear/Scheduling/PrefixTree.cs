namespace KimiLinear.Scheduling;

/// <summary>A radix tree over sequences of tokens, some of which carry a value.</summary>
/// <typeparam name="T">What is kept for a sequence.</typeparam>
internal sealed class PrefixTree<T>
    where T : class
{
    private readonly Node _root = new([], null);

    /// <summary>Finds how far some tokens follow a path of the tree, and the last value on the way.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="maxValueLength">Values of longer sequences are passed over.</param>
    /// <param name="value">Receives the value of the longest sequence that the tokens begin with, or null.</param>
    /// <returns>How many tokens follow a path, values or none.</returns>
    public int Find(ReadOnlySpan<int> tokens, int maxValueLength, out T? value)
    {
        value = null;
        Node node = _root;
        int length = 0;
        while (true)
        {
            if (node.Value is { } found && length <= maxValueLength)
            {
                value = found;
            }

            if (length == tokens.Length || !node.Children.TryGetValue(tokens[length], out Node? child))
            {
                return length;
            }

            int common = tokens[length..].CommonPrefixLength(child.Edge);
            length += common;
            if (common < child.Edge.Length)
            {
                return length;
            }

            node = child;
        }
    }

    /// <summary>Gets the value of exactly these tokens, or null.</summary>
    public T? Get(ReadOnlySpan<int> tokens)
    {
        Node? node = NodeOf(tokens);
        return node?.Value;
    }

    /// <summary>Keeps a value for these tokens, in the place of an earlier one.</summary>
    public void Set(ReadOnlySpan<int> tokens, T value)
    {
        Node node = _root;
        while (!tokens.IsEmpty)
        {
            if (!node.Children.TryGetValue(tokens[0], out Node? child))
            {
                child = new Node(tokens.ToArray(), node);
                node.Children.Add(tokens[0], child);
            }

            int common = tokens.CommonPrefixLength(child.Edge);
            node = common == child.Edge.Length ? child : Split(child, common);
            tokens = tokens[common..];
        }

        node.Value = value;
    }

    /// <summary>Forgets the value of these tokens, and the path that leads to no other.</summary>
    public void Remove(ReadOnlySpan<int> tokens)
    {
        Node? node = NodeOf(tokens);
        if (node is null)
        {
            return;
        }

        node.Value = null;
        while (node is { Value: null, Parent: { } parent } && node.Children.Count == 0)
        {
            parent.Children.Remove(node.Edge[0]);
            node = parent;
        }

        if (node is { Value: null, Parent: not null } && node.Children.Count == 1)
        {
            Join(node);
        }
    }

    private static Node Split(Node child, int length)
    {
        Node upper = new(child.Edge[..length], child.Parent);
        child.Parent!.Children[child.Edge[0]] = upper;
        child.Edge = child.Edge[length..];
        child.Parent = upper;
        upper.Children.Add(child.Edge[0], child);
        return upper;
    }

    // A node without a value that leads to one other only is no fork any more.
    private static void Join(Node node)
    {
        Node child = node.Children.Values.Single();
        child.Edge = [.. node.Edge, .. child.Edge];
        child.Parent = node.Parent;
        node.Parent!.Children[child.Edge[0]] = child;
    }

    private Node? NodeOf(ReadOnlySpan<int> tokens)
    {
        Node node = _root;
        while (!tokens.IsEmpty)
        {
            if (!node.Children.TryGetValue(tokens[0], out Node? child) || !tokens.StartsWith(child.Edge))
            {
                return null;
            }

            tokens = tokens[child.Edge.Length..];
            node = child;
        }

        return node;
    }

    private sealed class Node(int[] edge, Node? parent)
    {
        /// <summary>The tokens between the parent and this node.</summary>
        public int[] Edge { get; set; } = edge;

        public Node? Parent { get; set; } = parent;

        public T? Value { get; set; }

        public Dictionary<int, Node> Children { get; } = [];
    }
}
