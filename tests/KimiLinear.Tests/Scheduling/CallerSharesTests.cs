using KimiLinear.Scheduling;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class CallerSharesTests
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
}
