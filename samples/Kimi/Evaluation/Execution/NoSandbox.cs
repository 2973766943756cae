namespace Kimi.Evaluation.Execution;

/// <summary>No sandbox: programs may do whatever the user may. Only for those who insist.</summary>
internal sealed class NoSandbox : Sandbox
{
    public override string Name => "nothing (--unsafe-execution)";

    public override bool IsAlone => false;

    protected override IReadOnlyList<string> Command(PythonInterpreter python) => [python.Path];
}
