namespace KimiLinear.Extensions.AI;

/// <summary>When an application's host loads the model.</summary>
public enum ModelWarmUp
{
    /// <summary>While the application starts, beside everything else; requests that come sooner wait for it.</summary>
    Background,

    /// <summary>Before the application has started: it takes no request until the model is there, and does not start without.</summary>
    BeforeStart,

    /// <summary>When the client is first asked for.</summary>
    OnFirstUse,
}
