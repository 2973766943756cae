namespace KimiLinear.Extensions.AI.Integration;

/// <summary>What it takes to pass a scenario.</summary>
public enum Need
{
    /// <summary>A client that does its part, whatever the model says.</summary>
    Client,

    /// <summary>A client that holds the model to what was asked.</summary>
    Constraint,

    /// <summary>A model that sees pictures, which ours do not.</summary>
    Vision,

    /// <summary>A model that knows or understands something.</summary>
    Knowledge,
}
