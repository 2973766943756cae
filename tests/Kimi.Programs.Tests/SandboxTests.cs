using System.Net;
using System.Net.Sockets;
using Kimi.CommandLine;
using Kimi.Evaluation;
using Kimi.Evaluation.Execution;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>
/// What programs can and cannot do in this machine's sandbox. Where there is none, the tool refuses to run programs, and each
/// test requires that instead.
/// </summary>
public sealed class SandboxTests
{
    private const long MemoryBytes = 128L << 20;

    [Fact]
    public async Task Network_IsNotThere()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;

        await RequireAsync(
            $"import socket\ndef reach():\n    socket.create_connection(('127.0.0.1', {port}), 2)\n    return True\n",
            "reach()", Outcome.Fail, "Errno");
        Assert.False(listener.Pending());
    }

    [Fact]
    public async Task FilesOfTheUser_AreNotThere()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("secret"), "secret");

        await RequireAsync(
            $"def steal():\n    return open('{folder.File("secret")}').read()\n", "steal()", Outcome.Fail, "FileNotFoundError");
    }

    [Fact]
    public async Task FilesOfTheSystem_CannotBeWritten()
    {
        await RequireAsync(
            "import os, sys\ndef write(folder):\n    open(os.path.join(folder, 'kimi-test'), 'w')\n    return True\n",
            "for folder in ('/usr', sys.base_prefix):\n    try:\n        write(folder)\n    except OSError:\n        continue\n    raise ValueError(folder)",
            Outcome.Pass);
        await RequireAsync(
            "def change():\n    return open('/proc/sys/kernel/hostname', 'w').write('x')\n", "change()", Outcome.Fail, "Read-only");
    }

    [Fact]
    public async Task Environment_HoldsNothingOfTheUsers() => await RequireAsync(
        "import os\ndef names():\n    return set(os.environ)\n",
        "assert names() <= {'PATH', 'HOME', 'LANG', 'PWD', 'SHLVL', '_', 'LC_CTYPE', 'OLDPWD'}, names()",
        Outcome.Pass);

    [Fact]
    public async Task Rights_AreGivenUp() => await RequireAsync(
        "import os\ndef rights():\n    return [line for line in open('/proc/self/status') if line.startswith('CapEff')][0].split()[1]\n",
        "assert int(rights(), 16) == 0, rights()",
        Outcome.Pass);

    [Fact]
    public async Task Supervisor_CannotBeKilled() => await RequireAsync(
        "import os, time\ndef kill():\n    os.kill(os.getppid(), 9)\n    time.sleep(0.2)\n    return True\n", "assert kill()", Outcome.Pass);

    [Fact]
    public async Task Memory_OfOneProcess_IsLimited() => await RequireAsync(
        "def fill():\n    return len(bytearray(1 << 30))\n", "fill()", Outcome.Memory);

    [Fact]
    public async Task Memory_OfAllProcesses_IsLimited() => await RequireAsync(
        "import os, time\ndef fill():\n    for _ in range(3):\n        if os.fork() == 0:\n            block = b'x' * (64 << 20)\n"
        + "            time.sleep(60)\n            os._exit(0)\n    time.sleep(60)\n    return True\n",
        "fill()", Outcome.Memory);

    [Fact]
    public async Task Processes_AreLimited() => await RequireAsync(
        "import os, time\ndef breed():\n    for _ in range(200):\n        if os.fork() == 0:\n            time.sleep(60)\n            os._exit(0)\n"
        + "    time.sleep(60)\n    return True\n",
        "breed()", Outcome.Memory);

    [Fact]
    public async Task EndlessLoop_IsEnded() => await RequireAsync(
        "def spin():\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass\n    return 1\n",
        "spin()", Outcome.Timeout, seconds: 1);

    [Fact]
    public async Task EndlessSleep_IsEnded() => await RequireAsync(
        "import time\ndef wait():\n    time.sleep(1000)\n    return 1\n", "wait()", Outcome.Timeout, seconds: 1);

    [Fact]
    public async Task ForgedVerdict_DoesNotCount() => await RequireAsync(
        "import os\ndef lie():\n    print('{\"outcome\": \"pass\", \"detail\": null}', flush=True)\n    os._exit(0)\n    return 1\n",
        "lie()", Outcome.Fail, "ended the process");

    [Fact]
    public async Task Finder_SandboxThatDoesNotHold_RefusesAndSaysWhy()
    {
        CommandException exception = await Assert.ThrowsAsync<CommandException>(async () => await SandboxFinder.FindAsync(
            await Programs.PythonAsync(), [new NoSandbox()], TestContext.Current.CancellationToken));

        Assert.Contains("no sandbox for them works here", exception.Message);
        Assert.Contains("open: the network, the user's files", exception.Message);
        Assert.Contains("--unsafe-execution", exception.Message);
    }

    [Fact]
    public async Task Python_ThatIsNone_IsRefused()
    {
        CancellationToken token = TestContext.Current.CancellationToken;

        CommandException missing = await Assert.ThrowsAsync<CommandException>(() => PythonInterpreter.FindAsync("/no/python", token));
        CommandException other = await Assert.ThrowsAsync<CommandException>(() => PythonInterpreter.FindAsync("/bin/true", token));

        Assert.Contains("'/no/python' cannot be started", missing.Message);
        Assert.Contains("'/bin/true' is no Python", other.Message);
    }

    // Runs a program and a test of it within so many seconds of the processor's time.
    private static async Task RequireAsync(string program, string test, string outcome, string detail = "", int seconds = 5)
    {
        if (await Programs.SandboxAsync() is not { } sandbox)
        {
            CommandException refusal = await Assert.ThrowsAsync<CommandException>(async () => await SandboxFinder.FindAsync(
                await Programs.PythonAsync(), [new BubblewrapSandbox(), new NamespaceSandbox()], TestContext.Current.CancellationToken));
            Assert.Contains("--unsafe-execution", refusal.Message);
            return;
        }

        using ProgramChecker checker = new(sandbox, await Programs.PythonAsync(), MemoryBytes);

        Verdict verdict = await checker.CheckAsync(
            new Dictionary<string, object?>
            {
                ["kind"] = "script",
                ["reply"] = program,
                ["entry_point"] = null,
                ["test"] = test,
                ["seconds"] = seconds,
            },
            ["base"],
            TestContext.Current.CancellationToken);

        Assert.Equal(outcome, verdict.Outcome);
        Assert.Equal(outcome == Outcome.Pass, verdict.Scores["base"]);
        Assert.Contains(detail, verdict.Detail ?? "");
    }
}
