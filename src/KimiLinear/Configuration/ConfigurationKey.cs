namespace KimiLinear.Configuration;

/// <summary>One value of <c>config.json</c> and every spelling it has in published files, the original one first.</summary>
/// <param name="Name">The spelling of the original model.</param>
/// <param name="Aliases">The other spellings.</param>
internal sealed record ConfigurationKey(string Name, params string[] Aliases)
{
    public static implicit operator ConfigurationKey(string name) => new(name);

    /// <summary>For messages: the name, and the aliases in brackets.</summary>
    public override string ToString() => Aliases.Length == 0 ? Name : $"{Name} (also spelled {string.Join(" or ", Aliases)})";
}
