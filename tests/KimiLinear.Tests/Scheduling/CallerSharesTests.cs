using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class CallerSharesTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    [Fact]
    public void Enter_LateCaller_StartsWhereTheLeastServedStands()
    {
        CallerShares shares = new();
        shares.Enter("a");
        shares.Enter("b");
        shares.Charge("a", 30);
        shares.Charge("b", 20);

        shares.Enter("c");

        Assert.Equal(20, shares.Used("c"));
    }

    [Fact]
    public void Leave_NotTheLastRequest_KeepsTheAccount()
    {
        CallerShares shares = new();
        shares.Enter("a");
        shares.Enter("a");
        shares.Charge("a", 30);

        shares.Leave("a");

        Assert.Equal(30, shares.Used("a"));
    }

    [Fact]
    public void Leave_TheLastRequest_SavesNothingUp()
    {
        CallerShares shares = new();
        shares.Enter("a");
        shares.Enter("b");
        shares.Charge("b", 100);
        shares.Leave("a");

        shares.Enter("a");

        Assert.Equal(100, shares.Used("a"));
    }

    [Fact]
    public void BeginRound_RequestWhoseReaderIsBehind_HoldsNobodyBack()
    {
        CallerShares shares = new();
        EngineRequest slow = Paused(shares, "slow"), busy = Running(shares, "busy");
        shares.BeginRound([slow, busy], []);
        shares.BeginRound([slow, busy], []);
        shares.Charge("busy", 100);

        shares.Enter("late");

        Assert.Equal(100, shares.Used("late"));
    }

    [Fact]
    public void BeginRound_NobodyHasWorkForAWhile_WhoHadItLastCounts()
    {
        CallerShares shares = new();
        EngineRequest slow = Paused(shares, "slow"), busy = Running(shares, "busy");
        shares.BeginRound([slow, busy], []);
        shares.BeginRound([slow, busy], []);
        shares.Charge("slow", 10);
        shares.Charge("busy", 100);
        for (int round = 0; round < 3; round++)
        {
            shares.BeginRound([slow], []);
        }

        shares.Enter("late");

        Assert.Equal(100, shares.Used("late"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void BeginRound_ReaderReadsOnOrCallerAsksAgain_SavedNothingUp(bool readsOn)
    {
        CallerShares shares = new();
        EngineRequest slow = Paused(shares, "slow"), busy = Running(shares, "busy"), busier = Running(shares, "busier");
        shares.BeginRound([slow, busy, busier], []);
        shares.BeginRound([slow, busy, busier], []);
        shares.Charge("busy", 100);
        shares.Charge("busier", 200);

        if (readsOn)
        {
            shares.BeginRound([Running(shares, "slow"), slow, busy, busier], []);
        }
        else
        {
            shares.BeginRound([slow, busy, busier], [Running(shares, "slow")]);
        }

        Assert.Equal(100, shares.Used("slow"));
    }

    [Fact]
    public void BeginRound_CallersWithWork_KeepTheirAccounts()
    {
        CallerShares shares = new();
        EngineRequest a = Running(shares, "a"), b = Running(shares, "b");
        shares.Charge("a", 30);

        for (int round = 0; round < 3; round++)
        {
            shares.BeginRound([a], [b]);
        }

        Assert.Equal((30.0, 0.0), (shares.Used("a"), shares.Used("b")));
    }

    [Fact]
    public void Enter_NobodyHasWork_StartsWhereTheLeastServedStands()
    {
        CallerShares shares = new();
        EngineRequest slow = Paused(shares, "slow");
        shares.Charge("slow", 10);
        shares.BeginRound([slow], []);
        shares.BeginRound([slow], []);

        shares.Enter("late");

        Assert.Equal(10, shares.Used("late"));
    }

    private EngineRequest Running(CallerShares shares, string caller)
    {
        shares.Enter(caller);
        return EngineRequestTests.Create(tiny, [1, 2, 3], () => { }, caller);
    }

    private EngineRequest Paused(CallerShares shares, string caller)
    {
        EngineRequest request = Running(shares, caller);
        request.Admit(tiny.Model.CreateSequence(), ticket: 0);
        while (!request.IsPaused)
        {
            request.TakeLogits(new float[tiny.Model.Config.VocabularySize], maxContextTokens: 1000, TimeSpan.Zero, out _);
        }

        return request;
    }
}
